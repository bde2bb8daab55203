"""Train the digits' feature extractor: python -m darbench.metrics.train_digits_cnn --out DIR

Writes DIR/digits-cnn.safetensors and DIR/digits-cnn.json. About 15 seconds on one thread.

Every random number comes from darbench.streams, so a rerun repeats the same computation; the last
bits still depend on the processor and the version of torch. The held-out images are looked at
after the last epoch only: neither the epoch nor the seed is chosen by them.
"""

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save
from torch import Tensor

from darbench.data import load
from darbench.metrics.digits_cnn import CLASSES, FEATURES, NAME, DigitsNet, accuracy
from darbench.streams import stream

DATA = "digits"
BATCH, LR, WEIGHT_DECAY = 64, 2e-3, 1e-2


def to_rgb(images: np.ndarray) -> Tensor:
    """uint8 (N, 8, 8, 1) -> uint8 (N, 3, 8, 8)"""
    return torch.from_numpy(images).permute(0, 3, 1, 2).repeat(1, 3, 1, 1)


def initialise(net: DigitsNet, seed: int) -> None:
    """Kaiming-uniform weights (He et al., 2015), zero biases; each parameter its own stream."""
    for name, parameter in net.named_parameters():
        if parameter.ndim == 1:
            values = np.zeros(parameter.shape)
        else:
            bound = (6 / parameter[0].numel()) ** 0.5
            values = stream(seed, "digits-cnn/init", name).uniform(-bound, bound, parameter.shape)
        parameter.data = torch.from_numpy(values.astype(np.float32))


def shifted(images: Tensor, shifts: np.ndarray) -> Tensor:
    """Images (N, 3, H, W), each moved by its (dy, dx) in -1..1, black moving in.

    The only augmentation. Added noise is left out on purpose: a classifier taught to ignore noise
    would make the scores blind to it.
    """
    height, width = images.shape[2:]
    padded = F.pad(images, (1, 1, 1, 1))
    rows = [
        image[:, 1 - dy : 1 - dy + height, 1 - dx : 1 - dx + width]
        for image, (dy, dx) in zip(padded, shifts.tolist(), strict=True)
    ]
    return torch.stack(rows)


def train(images: Tensor, labels: Tensor, *, seed: int, epochs: int) -> DigitsNet:
    """AdamW on cross-entropy, the learning rate falling to zero along a cosine."""
    net = DigitsNet()
    initialise(net, seed)
    optimiser = torch.optim.AdamW(net.parameters(), lr=LR, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
    for epoch in range(epochs):
        rng = stream(seed, "digits-cnn/epoch", epoch)
        order = torch.from_numpy(rng.permutation(len(images)))
        moved = shifted(images, rng.integers(-1, 2, (len(images), 2)))
        for batch in order.split(BATCH):
            loss = F.cross_entropy(net(moved[batch])[1], labels[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        schedule.step()
    return net.eval()


def write(net: DigitsNet, out: Path, record: dict) -> None:
    data = save({name: value.contiguous() for name, value in net.state_dict().items()})
    record = record | {"sha256": hashlib.sha256(data).hexdigest()}
    out.mkdir(parents=True, exist_ok=True)
    (out / f"{NAME}.safetensors").write_bytes(data)
    (out / f"{NAME}.json").write_text(json.dumps(record, indent=2) + "\n")


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for the two files")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=100)
    args = parser.parse_args(argv)

    torch.set_num_threads(1)
    data = load(DATA)
    net = train(
        to_rgb(data.train_images),
        torch.from_numpy(data.train_labels),
        seed=args.seed,
        epochs=args.epochs,
    )
    reached = accuracy(net, to_rgb(data.val_images), torch.from_numpy(data.val_labels))
    record = {
        "name": NAME,
        "data": DATA,
        "data_fingerprint": data.fingerprint,
        "train_images": len(data.train_images),
        "held_out_images": len(data.val_images),
        "held_out_accuracy": reached,
        "features": {str(FEATURES): FEATURES, "logits": CLASSES},
        "parameters": sum(parameter.numel() for parameter in net.parameters()),
        "seed": args.seed,
        "epochs": args.epochs,
        "torch": torch.__version__,
        "command": f"python -m darbench.metrics.train_digits_cnn --out {args.out} "
        f"--seed {args.seed} --epochs {args.epochs}",
    }
    write(net, args.out, record)
    print(f"held-out accuracy {reached:.4f}; wrote {args.out / NAME}.safetensors and .json")


if __name__ == "__main__":
    main()
