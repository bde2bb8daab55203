from darbench.commands import listing
from darbench.registry import ROUTINGS
from darbench.search.files import spaces_folder, tasks_folder


def test_the_listing_has_every_routing_with_its_parameters():
    rows = {row["name"]: row for row in listing.routings()}
    assert set(rows) == set(ROUTINGS.names())
    assert rows["add"]["FLOPs XL/2"] == 0 and rows["add"]["equals add"] == "strong"
    span = rows["dar"]["search parameters"]["span"]
    assert span == {"default": 4, "values": "int"}


def test_names_of_routings_spaces_and_tasks_do_not_overlap():
    names = ROUTINGS.names()
    names += [
        p.stem for folder in (spaces_folder(), tasks_folder()) for p in folder.glob("*.yaml")
    ]
    assert len(names) == len(set(names))
