import pytest
import torch

from darbench.model.sublayers import modulations
from darbench.model.tap import tap
from darbench.routing.base import Cond
from darbench.testing.inputs import images, randomise
from tests.make.models import SETTINGS, name_of, sit


def reads_of(model, x, t, label):
    """All depth reads of a forward pass, by the interface alone."""
    t_embed, y_embed = model.t_embedder(t), model.y_embedder(label)
    cond = Cond(time=t, label=label, t=t_embed, y=y_embed, c=t_embed + y_embed)
    state = model.routing.begin(model.x_embedder(x) + model.pos_embed, cond)
    reads, modulation = [], modulations(model.blocks, cond.c)
    for site in range(model.sites):
        h, state = model.routing.take(state, site)
        reads.append(h)
        sublayer, own = model.blocks[site // 2].sublayers(modulation[site // 2])[site % 2]
        state = model.routing.write(state, site, sublayer(h, *own))
    return [*reads, model.routing.read(state, model.sites)]


@pytest.mark.parametrize("setting", SETTINGS, ids=name_of)
def test_z_k_is_the_routings_read_after_block_k(setting):
    model = sit(setting).double()
    randomise(model)
    with torch.no_grad():
        wanted = reads_of(model, *images())[::2]
        for layer in range(model.depth + 1):
            with tap(model, layer) as reads:
                model(*images())
            (z,) = reads
            torch.testing.assert_close(z, wanted[layer], rtol=1e-12, atol=1e-12)


def test_one_read_a_forward_pass_and_none_after():
    model = sit()
    x = images(dtype=torch.float32)
    with tap(model, 2) as reads:
        model(*x)
        model(*x)
    model(*x)
    assert len(reads) == 2


def test_an_error_within_leaves_no_ear_behind():
    model = sit()
    with pytest.raises(RuntimeError), tap(model, 1):
        raise RuntimeError
    assert not model.blocks[1].attn._forward_pre_hooks
