from darbench.search.files import cards, spaces_folder, tasks_folder


def test_the_shipped_folders_are_found():
    assert (spaces_folder() / "dar_variants.yaml").is_file()
    assert {"digits-nano", "imagenet256-xl2"} <= cards(tasks_folder()).keys()
