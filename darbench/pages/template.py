"""Templates of pages: a package's own, and those that all pages share."""

from collections.abc import Callable, Mapping

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, Template

from darbench.command_line import files_of

SHARED = "darbench.pages"


def template(package: str, name: str, filters: Mapping[str, Callable]) -> Template:
    """The template of that name in the package or here; what it is given is escaped."""
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader(SHARED)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"files_of": files_of} | dict(filters)
    return environment.get_template(name)
