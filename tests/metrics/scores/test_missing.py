from darbench.data.catalogue import kind
from darbench.metrics.extractors.catalogue import extractor_kind
from darbench.metrics.scores.missing import fdr_text, has_fdr, is_classified


def test_small_pictures_of_some_classes_are_classified():
    of = {name: kind(name) for name in ("digits", "shapes", "cifar10", "latents")}
    told = {name: is_classified(k.picture_bytes, k.classes) for name, k in of.items()}
    assert told == {"digits": True, "shapes": True, "cifar10": True, "latents": False}
    assert is_classified(3 * 64 * 64, 100) and not is_classified(3 * 64 * 64 + 1, 100)
    assert not is_classified(64, 101) and not is_classified(64, 1)


def test_fdr_takes_more_images_than_features_and_says_how_many():
    assert has_fdr(65, 64) and not has_fdr(64, 64)
    assert fdr_text(360, 64) == "at 360 images of either set"
    inception = extractor_kind("inception-v3-compat").features
    reason = fdr_text(kind("latents").n_val, inception)
    assert reason.startswith("none") and "2,048, and 2,048 features" in reason
