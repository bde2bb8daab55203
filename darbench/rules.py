"""The rules of measurement: constants in the code of the metrics, and a version of the rest.

All that is written here in capitals is part of the protocol hash. Raise RULES when a change to
the code gives the same images or the same weights another number:
tests/metrics/test_rules.py tells.
"""

RULES = 1

SAMPLE_BATCH = 120  # of the generator: fixed and padded, so that no sample depends on its batch
# Of the extractor: a convolution may round differently for another batch size; one size leaves
# nothing to vary.
FEATURE_BATCH = 64
VALIDATION_BINS = 4  # of t
NEIGHBOURS = 3  # k of precision and recall
KERNEL_DEGREE = 3  # of the polynomial of KID
FD_INFINITY_SHUFFLES = 3
FD_INFINITY_LEAST = 8  # samples a feature
MOST_REFERENCES, MOST_VAL = 10_000, 2048  # items of data that are too large for memory
