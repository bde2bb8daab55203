"""The table of metrics: a new metric is one row here and one function that computes it.

The schema of a row, what a task can rank by, the statistics, the noise floor and the page read
this table. Nothing here imports a third-party package, as in all of darbench.records.
"""

from dataclasses import dataclass

FID_FEATURES = "inception-v3-compat"  # the features that FID is defined on
SHORT = {"efficientnet-lite0": "lite0"}  # names of features as they are written in brackets
LOWER, HIGHER, NEITHER = "lower", "higher", ""
IMAGES = "images"


@dataclass(frozen=True, kw_only=True)
class Series:
    """A column that holds several values of one metric at one checkpoint."""

    column: str
    doc: str
    redrawn: str = ""  # what differs: the random numbers of `generation` or `metric`, or IMAGES
    shared: bool = False  # all trials are measured with the same draws


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A number that is measured at a checkpoint, and how it is judged and written."""

    name: str  # the name of its column, and what a user writes
    title: str  # as written in the middle of a sentence
    doc: str
    unit: str = ""
    better: str = LOWER
    digits: int = 3  # significant digits of a mean over seeds
    # A compared metric is always positive, and lower is better: it is interpolated at the budget,
    # compared with `add` seed by seed as a log ratio, and can be ranked by.
    compared: bool = False
    fid: str = ""  # the title in FID_FEATURES, of a distance that is named after its features
    error: str = ""  # what its standard error is taken over; empty where there is none
    beside: str = ""  # the compared metric in whose column of the page it stands
    hashed: bool = True  # whether row hashes hold its columns; False for a metric that came later
    series: tuple[Series, ...] = ()

    def __post_init__(self):
        assert self.better == LOWER or not self.compared, f"{self.name}: log ratios rank downwards"

    @property
    def error_column(self) -> str:
        """The column of the metric's standard error; empty where there is none."""
        return f"{self.name}_se" if self.error else ""

    def title_in(self, extractor: str) -> str:
        """The title; a Frechet distance is called FID only in the features that define FID."""
        title = self.short_title_in(extractor)
        return (
            f"{title}({SHORT.get(extractor, extractor)})"
            if self.fid and title != self.fid
            else title
        )

    def short_title_in(self, extractor: str) -> str:
        """The title where the features are named beside it."""
        return self.fid if self.fid and extractor == FID_FEATURES else self.title

    def heading(self, extractor: str) -> str:
        """The title at the start of a line; an abbreviation such as sFID keeps its case."""
        title = self.title_in(extractor)
        return title if title != title.lower() else title.capitalize()


# Metrics of the weights.
LOSSES = (
    Metric(
        name="train_loss",
        title="training loss",
        doc="mean of the training objective since the last checkpoint, a velocity MSE "
        "unless training.objective says otherwise",
        digits=4,
    ),
    Metric(
        name="val_loss",
        title="validation loss",
        doc="validation loss of the EMA weights at fixed noise and t",
        unit="velocity MSE",
        digits=4,
        compared=True,
        series=(
            Series(column="val_loss_bins", doc="val_loss in equal bins of t"),
            Series(
                column="val_loss_redraws",
                doc="val_loss, then at other noise and t",
                redrawn="metric",
                shared=True,
            ),
            Series(
                column="val_loss_image_redraws",
                doc="val_loss on bootstrapped held-out images",
                redrawn=IMAGES,
                shared=True,
            ),
        ),
    ),
    Metric(
        name="val_loss_apart",
        title="loss on other sources",
        doc="validation loss, without labels, on items of sources that training saw nothing of, "
        "such as whole photographs",
        unit="velocity MSE",
        digits=4,
        beside="val_loss",
        hashed=False,
    ),
)
# Metrics of generated samples.
SCORES = (
    Metric(
        name="fd",
        title="FD",
        fid="FID",
        doc="Frechet distance to the reference in the extractor's features",
        unit="squared features",
        compared=True,
        series=(
            # The noise to generate from is keyed by the pair id.
            Series(
                column="fd_redraws",
                doc="fd, then with other generation noise",
                redrawn="generation",
            ),
            Series(
                column="fd_reference_redraws",
                doc="fd to bootstrapped references instead",
                redrawn="metric",
                shared=True,
            ),
        ),
    ),
    Metric(
        name="fd_inf",
        title="FD-infinity",
        fid="FID-infinity",
        doc="fd extrapolated to infinitely many generated samples",
        unit="squared features",
        error="generated samples",
        beside="fd",
    ),
    Metric(
        name="fdr",
        title="FDr",
        doc="fd over that of equally many held-out images: 1 for fresh images of the data, less "
        "for copies of training images; the mean over the extractors",
        unit="1",
        error="samples and held-out images",
        beside="fd",
        hashed=False,
    ),
    Metric(
        name="sfd",
        title="sFD",
        fid="sFID",
        doc="Frechet distance in the extractor's spatial layer",
        unit="squared features",
    ),
    Metric(
        name="kid",
        title="KID",
        doc="kernel distance in the extractor's features",
        unit="1",
        error="generated and reference samples",
        beside="fd",
    ),
    Metric(
        name="inception_score",
        title="inception score",
        doc="inception score with the extractor's classifier",
        better=HIGHER,
    ),
    Metric(
        name="precision", title="precision", doc="improved precision, k=3", unit="1", better=HIGHER
    ),
    Metric(name="recall", title="recall", doc="improved recall, k=3", unit="1", better=HIGHER),
    Metric(
        name="nn_distance_ratio",
        title="memorisation ratio",
        doc="median distance of a sample to its nearest training image, over that of a "
        "validation image; below 1 hints at memorisation",
        unit="1",
        better=NEITHER,
    ),
    Metric(
        name="class_accuracy",
        title="class accuracy",
        doc="share of samples to which a classifier that is no extractor gives the class that "
        "they were made for",
        unit="1",
        better=HIGHER,
        hashed=False,
    ),
)

METRICS: dict[str, Metric] = {metric.name: metric for metric in (*LOSSES, *SCORES)}
COMPARED = tuple(name for name, metric in METRICS.items() if metric.compared)
DESCRIBED = tuple(name for name, metric in METRICS.items() if not metric.compared)
