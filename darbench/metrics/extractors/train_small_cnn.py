"""Train a small feature extractor and write its weights.

    python -m darbench.metrics.extractors.train_small_cnn NAME --out DIR

NAME is digits-cnn (about 15 seconds on one thread), shapes-cnn or photos-cnn (a minute). It writes
DIR/NAME.safetensors and DIR/NAME.json.

Every random number comes from darbench.randomness, so a rerun repeats the same computation; the
last bits still depend on the processor and the version of torch. The held-out images are looked at
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

from darbench.data import Dataset, load
from darbench.metrics.extractors.small_cnn import (
    DIGITS,
    FEATURES,
    PHOTOS,
    SHAPES,
    SmallCNN,
    SmallNet,
    accuracy,
)
from darbench.randomness import stream

CNNS = {cnn.name: cnn for cnn in (DIGITS, SHAPES, PHOTOS)}
EPOCHS = {"digits-cnn": 100, "shapes-cnn": 20, "photos-cnn": 20}
MOST_IMAGES = 16_384  # taken from a dataset that has more
BATCH, LR, WEIGHT_DECAY = 64, 2e-3, 1e-2


def training_set(dataset: Dataset, most: int = MOST_IMAGES) -> tuple[Tensor, Tensor]:
    """The first training images, uint8 (N, 3, H, W), and labels (N,)."""
    items, labels = dataset.items(np.arange(min(dataset.n_train, most)))
    return to_rgb(dataset.decode(items)), labels


def held_out(dataset: Dataset) -> tuple[Tensor, Tensor]:
    """The validation images, uint8 (N, 3, H, W), and labels (N,)."""
    _, labels = dataset.val(np.arange(dataset.n_val))
    return to_rgb(dataset.val_images), labels


def to_rgb(images: np.ndarray) -> Tensor:
    """Grey or colour images as colour images: uint8 (N, H, W, C), C = 1 or 3 -> (N, 3, H, W)."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).expand(-1, 3, -1, -1).contiguous()


def initialise(net: SmallNet, name: str, seed: int) -> None:
    """Set Kaiming-uniform weights (He et al., 2015) and zero biases, each parameter from its own
    random stream."""
    for key, parameter in net.named_parameters():
        if parameter.ndim == 1:
            values = np.zeros(parameter.shape)
        else:
            bound = (6 / parameter[0].numel()) ** 0.5
            values = stream(seed, f"{name}/init", key).uniform(-bound, bound, parameter.shape)
        parameter.data = torch.from_numpy(values.astype(np.float32))


def shifted(images: Tensor, shifts: np.ndarray) -> Tensor:
    """Images (N, 3, H, W), each moved by its (dy, dx) in -1..1; what moves in is black.

    It is the only augmentation. No noise is added, on purpose: a classifier taught to ignore noise
    would make the scores blind to it.
    """
    height, width = images.shape[2:]
    padded = F.pad(images, (1, 1, 1, 1))
    rows = [
        image[:, 1 - dy : 1 - dy + height, 1 - dx : 1 - dx + width]
        for image, (dy, dx) in zip(padded, shifts.tolist(), strict=True)
    ]
    return torch.stack(rows)


def train(cnn: SmallCNN, images: Tensor, labels: Tensor, *, seed: int, epochs: int) -> SmallNet:
    """A network trained by AdamW on cross-entropy; the learning rate falls to zero by a cosine."""
    net = cnn.net()
    initialise(net, cnn.name, seed)
    optimiser = torch.optim.AdamW(net.parameters(), lr=LR, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
    for epoch in range(epochs):
        rng = stream(seed, f"{cnn.name}/epoch", epoch)
        order = torch.from_numpy(rng.permutation(len(images)))
        moved = shifted(images, rng.integers(-cnn.shift, cnn.shift + 1, (len(images), 2)))
        for batch in order.split(BATCH):
            loss = F.cross_entropy(net(moved[batch])["logits"], labels[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        schedule.step()
    return net.eval()


def write(name: str, net: SmallNet, out: Path, record: dict) -> None:
    """Write the weights and the record of their training, with the weights' sha256."""
    data = save({key: value.contiguous() for key, value in net.state_dict().items()})
    record = record | {"sha256": hashlib.sha256(data).hexdigest()}
    out.mkdir(parents=True, exist_ok=True)
    (out / f"{name}.safetensors").write_bytes(data)
    (out / f"{name}.json").write_text(json.dumps(record, indent=2) + "\n")


def main(argv: list[str] | None = None) -> None:
    """The command: train, test on the held-out images, write both files."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("name", choices=CNNS)
    parser.add_argument("--out", type=Path, required=True, help="folder for the two files")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, help="default: " + str(EPOCHS))
    args = parser.parse_args(argv)
    cnn, epochs = CNNS[args.name], args.epochs or EPOCHS[args.name]

    torch.set_num_threads(1)
    data = load(cnn.data)
    images, labels = training_set(data)
    net = train(cnn, images, labels, seed=args.seed, epochs=epochs)
    reached = accuracy(net, *held_out(data))
    record = {
        "name": cnn.name,
        "data": cnn.data,
        "data_fingerprint": data.fingerprint,
        "train_images": len(images),
        "held_out_images": data.n_val,
        "held_out_accuracy": reached,
        "features": {str(FEATURES): FEATURES, "logits": data.classes},
        "parameters": sum(parameter.numel() for parameter in net.parameters()),
        "seed": args.seed,
        "epochs": epochs,
        "torch": torch.__version__,
        "command": "python -m darbench.metrics.extractors.train_small_cnn "
        f"{cnn.name} --out {args.out} --seed {args.seed} --epochs {epochs}",
    }
    write(cnn.name, net, args.out, record)
    print(f"held-out accuracy {reached:.4f}; wrote {args.out / cnn.name}.safetensors and .json")


if __name__ == "__main__":
    main()
