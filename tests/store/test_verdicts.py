import pytest

from darbench.store.verdicts import FILE, KeptVerdicts, Verdict, read, why_pruned

SAID = [Verdict(row="a", pruned=""), Verdict(row="b", pruned="pruned by halving at 1 of 9")]


def test_verdicts_are_read_in_their_order(tmp_path):
    kept = KeptVerdicts(tmp_path)
    for verdict in SAID:
        kept.add(verdict)
        assert [*read(tmp_path)][-1] == verdict
    assert KeptVerdicts(tmp_path).given == [*read(tmp_path)] == SAID
    assert (why_pruned(tmp_path, "a"), why_pruned(tmp_path, "b")) == ("", SAID[1].pruned)
    assert why_pruned(tmp_path, "c") == why_pruned(tmp_path / "none", "b") == ""


@pytest.mark.parametrize("torn", ['{"row": "c", "pru', "no json\n", '{"row": "c"}\n', "[]\n"])
def test_what_is_no_verdict_is_passed_over_and_spoils_no_other(tmp_path, torn):
    for verdict in SAID:
        KeptVerdicts(tmp_path).add(verdict)
    with (tmp_path / FILE).open("a") as file:
        file.write(torn)
    more = Verdict(row="d", pruned="")
    KeptVerdicts(tmp_path).add(more)
    assert [*read(tmp_path)] == [*SAID, more]
