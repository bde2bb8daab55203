import pytest

from darbench import registry
from darbench.errors import BadInput
from darbench.registry import signature
from darbench.routing.add import Add
from darbench.search.domains import Range
from darbench.search.load import load_space, load_trial
from tests.make.spaces import load, write


def configurations(folder, variants: str) -> list[tuple[str, dict]]:
    space = load(folder, f"variants: [{variants}]")
    return [(c.variant.label, dict(c.variant.params)) for c in space.grid()]


def test_a_scalar_is_fixed_and_the_rest_is_at_its_default(tmp_path):
    ((label, params),) = configurations(tmp_path, "{routing: dar, params: {span: 8}}")
    assert label == "dar (span=8)"
    defaults = {p.name: p.default for p in signature("dar").parameters.values()}
    assert params == defaults | {"span": 8} != defaults


def test_lists_are_choices_and_their_product_is_walked(tmp_path):
    found = configurations(
        tmp_path, "{routing: dar, params: {query: [static, dynamic], span: [2, 4]}}"
    )
    assert [label for label, _ in found] == [
        "dar (query=static, span=2)",
        "dar (query=static, span=4)",
        "dar (query=dynamic, span=2)",
        "dar (query=dynamic, span=4)",
    ]


@pytest.mark.parametrize(
    ("values", "walked"),
    [("{low: 2, high: 8, step: 3}", [2, 5, 8]), ("{low: 2, high: 7, step: 3}", [2, 5])],
)
def test_a_range_with_a_step_is_walked_up_to_its_end(tmp_path, values, walked):
    found = configurations(tmp_path, f"{{routing: dar, params: {{span: {values}}}}}")
    assert [params["span"] for _, params in found] == walked


def test_a_range_of_a_float_between_whole_numbers_is_one_of_floats(tmp_path):
    space = load(
        tmp_path,
        "variants: [{routing: dar, params: {lr_mult: {low: 1, high: 10, log: true}}}]\n"
        "sampler: tpe",
    )
    domain = space.entries[0].domains["lr_mult"]
    assert domain == Range(low=1.0, high=10.0, log=True) and not domain.integer


def test_the_space_is_checked_at_every_choice_and_both_ends(tmp_path):
    space = load(
        tmp_path,
        """
        sampler: tpe
        variants:
          - {routing: dar, params: {query: [static, dynamic], span: {low: 2, high: 8}}}
        """,
    )
    tried = [(c.variant.params["query"], c.variant.params["span"]) for c in space.samples()]
    assert tried == [("static", 2), ("dynamic", 2), ("static", 8)]


def test_a_variant_may_change_the_backbone_and_is_labelled_by_it(tmp_path):
    space = load(tmp_path, "variants: [{routing: add}, {routing: add, model: {depth: 6}}]")
    plain, half = space.grid()
    assert (plain.model.depth, half.model.depth) == (12, 6)
    assert (plain.variant.label, half.variant.label) == ("add", "add [depth=6]")


def test_a_label_of_the_users_own_goes_before_what_is_searched(tmp_path):
    found = configurations(
        tmp_path, "{routing: dar, label: 'Überschuß', params: {span: [1, 2], query: static}}"
    )
    assert [label for label, _ in found] == ["Überschuß (span=1)", "Überschuß (span=2)"]


def test_seeds_are_replicates_of_one_configuration(tmp_path):
    space = load(tmp_path, "variants: [{routing: add}]\nseeds: [3, 5]")
    (configuration,) = space.grid()
    trials = [configuration.trial(seed, "confirm") for seed in space.seeds]
    assert len({t.id for t in trials}) == 2
    assert len({t.config_hash for t in trials}) == 1


def test_only_the_parameters_of_the_chosen_variant_are_asked_for(tmp_path):
    space = load(
        tmp_path,
        """
        sampler: tpe
        variants:
          - {routing: dar, params: {span: [2, 4]}}
          - {routing: hyper, params: {streams: [2, 4]}}
        """,
    )
    asked = []

    def choose(name, domain):
        asked.append(name)
        return "hyper" if name == "variant" else domain.values[-1]

    configuration = space.draw(choose)
    assert asked == ["variant", "hyper/streams"]
    assert configuration.variant.params["streams"] == 4
    assert configuration.point == {"variant": "hyper", "hyper/streams": 4}


REFUSED = {
    "{routing: dra}": "unknown routing 'dra'; did you mean dar",
    "{routing: [dar]}": "unknown routing",
    "{routing: dar, params: {spam: 3}}": "'spam'; did you mean span",
    "{routing: dar, params: {1: 3}}": "unknown parameter of routing 'dar'",
    "{routing: dar, parms: {}}": "unknown key 'parms'; did you mean params",
    "{routing: dar, params: {span: four}}": "span='four': must be int",
    "{routing: dar, params: {span: true}}": "span=True: must be int",
    "{routing: dar, params: {span: 2.5}}": "span=2.5: must be int",
    "{routing: dar, params: {span: null}}": "span=None: must be int",
    "{routing: dar, params: {lr_mult: .nan}}": "lr_mult=nan: must be finite",
    "{routing: dar, params: {query: statc}}": "one of static, static_t, dynamic",
    "{routing: dar, params: {query: []}}": "choices must not be empty",
    "{routing: dar, params: {query: [static, 3]}}": "query=3: must be one of",
    "{routing: dar, params: {span: {low: 1}}}": "a range needs low and high",
    "{routing: dar, params: {span: {low: 4, high: 1}}}": "low < high",
    "{routing: dar, params: {span: {low: 1, high: 4, step: 0}}}": "step > 0",
    "{routing: dar, params: {span: {low: 1, high: 4, step: 0.5}}}": "must be int",
    "{routing: dar, params: {span: {low: 0, high: 4, log: true}}}": "low > 0 with log",
    "{routing: dar, params: {span: {low: 1, high: 4, log: 2}}}": "must be true or false",
    "{routing: dar, params: {span: {low: 1, high: 4, log: true, step: 1}}}": "log or step",
    "{routing: dar, params: {span: {low: 1, high: 4, stp: 1}}}": "did you mean step",
    "{routing: dar, params: {query: {low: static, high: dynamic}}}": "a range needs numbers",
    "{routing: dar, params: [span]}": "params: must be a mapping",
    "{routing: add, params: {span: 1}}": "routing 'add' has no parameters",
    "{routing: add, model: {dept: 3}}": "unknown model key 'dept'; did you mean depth",
    "{routing: add, model: {depth: x}}": "model.depth='x': must be int or null",
    "{routing: add, model: {width: 6}}": "must be a multiple of 4",
    "{routing: add, model: {mlp_ratio: 0}}": "model.mlp_ratio=0.0: must be positive",
    '{routing: add, label: "two\\nlines"}': "one line of printable characters",
    "add": "must be a mapping with `routing: NAME`",
}


@pytest.mark.parametrize("variant", REFUSED)
def test_a_bad_variant_is_refused_by_its_place(tmp_path, variant):
    with pytest.raises(BadInput) as refused:
        load(tmp_path, f"variants: [{{routing: denseformer}}, {variant}]")
    assert "variants[1]: " in str(refused.value)
    assert REFUSED[variant] in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_endless_range_cannot_be_walked(tmp_path):
    space = load(tmp_path, "variants: [{routing: dar, params: {lr_mult: {low: 1, high: 2}}}]")
    with pytest.raises(BadInput, match="give it a step, list its values, or use sampler=random"):
        list(space.grid())


def test_an_id_ignores_order_and_defaults_spelled_out(tmp_path):
    def the_id(variant):
        space = load(tmp_path, f"variants: [{variant}]")
        return next(space.grid()).trial(0, "confirm").id

    plain = the_id("{routing: dar}")
    assert the_id("{routing: dar, params: {span: 4, query: static_t}}") == plain
    assert the_id("{routing: dar, params: {query: static_t, span: 4}}") == plain
    assert the_id("{routing: dar, params: {lr_mult: 1}}") == plain
    assert the_id("{routing: dar, model: {depth: 12, mlp_ratio: 4}}") == plain
    assert the_id("{routing: dar, params: {span: 5}}") != plain


def test_a_float_with_an_integer_as_default_is_one_trial_however_it_is_given(
    tmp_path, own_registry
):
    def init(self, sites, width, *, alpha: float = 1):
        Add.__init__(self, sites, width)

    registry.register("intfloat")(type("Intfloat", (Add,), {"__init__": init}))
    signatures = registry.signatures()
    text = "seeds: [0]\nvariants: [{routing: intfloat, params: {alpha: [1, 1.0, 2, 2.0]}}]"
    space = load_space(write(tmp_path, text), [], signatures)
    walked = [c.trial(0, "confirm").id for c in space.grid()]
    given = [[], ["params.alpha=1"], ["params.alpha=1.0"], ["params.alpha=2"]]
    one, *twins, two = (
        load_trial("intfloat", "digits-nano", overrides, 0, signatures) for overrides in given
    )
    assert (
        one.configuration()["params"] == {"alpha": 1} and type(one.variant.params["alpha"]) is int
    )
    assert [t.id for t in twins] == [one.id] * 2
    assert walked == [one.id] * 2 + [two.id] * 2 and one.id != two.id
