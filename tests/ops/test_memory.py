"""Memory that is lent to large tensors, and comes back."""

import gc
import threading

import pytest
import torch

from darbench.ops.native import memory

MANY = memory.LEAST // 4


@pytest.fixture(autouse=True)
def nothing_waits():
    memory.release()
    yield
    memory.release()


def made(count=MANY):
    return memory.empty_like(torch.empty(count, device="meta"))


def test_a_tensor_is_like_the_one_given_and_its_numbers_are_its_own():
    x = torch.empty(2, 3, MANY)
    a, b = memory.empty_like(x), memory.empty_like(x)
    assert a.shape == x.shape and a.dtype == torch.float32 and a.is_contiguous()
    assert a.data_ptr() % 64 == 0
    a.fill_(1)
    b.fill_(2)
    assert a.min() == 1 and b.max() == 2


def test_memory_comes_back_once_nobody_holds_the_tensor():
    a = made()
    address = a.data_ptr()
    del a
    assert made().data_ptr() == address


@pytest.mark.parametrize("holder", [lambda a: a[1:], lambda a: a.numpy(), lambda a: [a]])
def test_memory_that_a_view_an_array_or_a_list_reaches_is_not_lent(holder):
    a = made().fill_(1)
    held = holder(a)
    del a
    made().fill_(2)
    assert (torch.as_tensor(held[0]) == 1).all()


def test_memory_that_autograd_holds_is_not_lent():
    x = torch.ones(MANY, requires_grad=True)
    a = made().fill_(3)
    loss = (x * a).sum()
    del a
    made().fill_(5)
    loss.backward()
    assert (x.grad == 3).all()


def test_small_tensors_and_other_sizes_have_memory_of_their_own():
    a = made()
    address = a.data_ptr()
    del a
    assert made(MANY + 1).data_ptr() != address
    assert made(16).data_ptr() != address
    assert made().data_ptr() == address


def test_what_waits_is_limited():
    held = [made(memory.MOST // 16) for _ in range(6)]
    del held
    gc.collect()
    assert sum(block.nbytes for w in memory._waiting.values() for block in w) <= memory.MOST


def test_threads_never_share_memory():
    def work():
        for i in range(200):
            a, b = made().fill_(i), made().fill_(-i)
            wrong.append(int(a[0]) != i or int(b[-1]) != -i)

    wrong = []
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(wrong) == 800 and not any(wrong)
