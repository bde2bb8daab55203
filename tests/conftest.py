"""Lies beside `builders`, so that tests in the folders below can import it by that name."""

import os

import torch

if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"  # read when triton is first imported
