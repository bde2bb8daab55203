"""Write official.json: what the official SiT answers; weights and inputs have closed forms.

    python tests/model/record_official_model.py PATH_OF_SIT     # needs timm

The reference is github.com/willisma/SiT at 947f95bd with timm 1.0.31, in float64. One of its
lines is stepped around: it rounds t and the features of t to float32, which linears in float64 do
not take. The code as it stands, in float32, is asserted to give the same up to 1e-5.
"""

import hashlib
import json
import math
import sys
import zlib
from copy import deepcopy
from pathlib import Path

import torch
from torch import Tensor

RECORD = Path(__file__).parent / "official.json"
DEPTH, WIDTH, HEADS, PATCH, SIDE, CHANNELS, CLASSES = 2, 48, 4, 2, 8, 4, 10
TIMES = (0.0, 0.37, 1.0)
LABELS = (3, CLASSES, 7)  # the second is the null class
GUIDED_TIMES, GUIDED_LABELS, SCALE = (0.21, 0.83), (0, 8), 2.5


def wave(shape: tuple[int, ...], phase: float) -> Tensor:
    """Numbers in [-1, 1], the same on every machine; sines of squares give a matrix full rank."""
    index = torch.arange(math.prod(shape))
    return torch.sin((index**2 % 1009).double() + phase).view(shape)


def parameter(name: str, shape: tuple[int, ...]) -> Tensor:
    """Values with a phase of the name's own, so large that what passes through stays near 1."""
    return wave(shape, zlib.crc32(name.encode()) % 1000 / 7) * (2 / math.prod(shape[1:])) ** 0.5


def images(n: int) -> Tensor:
    return 1.5 * wave((n, CHANNELS, SIDE, SIDE), float(n))


def digits(value: Tensor, count: int = 10) -> list[float]:
    """Every number with that many significant digits."""
    return [float(f"{number:.{count}g}") for number in value.flatten().tolist()]


@torch.no_grad()
def main(reference: Path) -> None:
    sys.path.insert(0, str(reference))
    torch.set_default_dtype(torch.float64)
    import models

    source = (reference / "models.py").read_bytes()
    record: dict = {"sha256 of models.py": hashlib.sha256(source).hexdigest()}
    record["SiT-S/2"] = shapes(models.SiT_models["SiT-S/2"]())
    record["pos_embed"] = digits(small(models, learn_sigma=False).pos_embed, 7)
    for learn_sigma in (False, True):
        model = filled(small(models, learn_sigma))
        record[f"learn_sigma {learn_sigma}"] = {
            "shapes": shapes(model),
            "v": digits(answer(model, "forward", images(len(TIMES)), TIMES, LABELS)),
        }
    record["guided"] = record_guided(filled(small(models, learn_sigma=True)))
    RECORD.write_text(json.dumps(record, separators=(",", ":")) + "\n")


def small(models, learn_sigma: bool):
    return models.SiT(
        depth=DEPTH,
        hidden_size=WIDTH,
        num_heads=HEADS,
        patch_size=PATCH,
        input_size=SIDE,
        in_channels=CHANNELS,
        num_classes=CLASSES,
        learn_sigma=learn_sigma,
    ).eval()


def shapes(model) -> dict[str, list[int]]:
    return {name: list(value.shape) for name, value in model.state_dict().items()}


def filled(model):
    for name, value in model.named_parameters():
        value.copy_(parameter(name, value.shape))
    return model


def answer(model, method: str, x: Tensor, t: tuple, label: tuple, *rest) -> Tensor:
    t, label = torch.tensor(t), torch.tensor(label)
    exact = getattr(model, method)(x, t.as_subclass(Unrounded), label, *rest).as_subclass(Tensor)
    as_it_stands = getattr(deepcopy(model).float(), method)(x.float(), t.float(), label, *rest)
    torch.testing.assert_close(as_it_stands.double(), exact, rtol=1e-5, atol=1e-5)
    return exact


def record_guided(model) -> list[float]:
    """The guided answer; it takes every image twice, the second time with the null class."""
    x, label = images(2).repeat(2, 1, 1, 1), (*GUIDED_LABELS, CLASSES, CLASSES)
    return digits(answer(model, "forward_with_cfg", x, 2 * GUIDED_TIMES, label, SCALE))


class Unrounded(Tensor):
    """A tensor that stays in float64 where the official code asks for float32."""

    def float(self):
        return self


if __name__ == "__main__":
    main(Path(sys.argv[1]))
