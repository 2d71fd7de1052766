"""The installed Twilio library, walked: each method that may change something."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any

import twilio.rest
from twilio.base.version import Version
from twilio.rest import Client

_READING = ("fetch", "list", "stream", "page", "get")


class Anything:
    """An argument that every method takes: where it is a model, it can be made a dictionary."""

    def to_dict(self) -> dict[str, str]:
        return {"to": "+393331234567"}


def changing_calls(client: Client) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Name and call of each method that is no reading one, on each resource of the library."""
    for module in _resource_modules():
        version = _version(client, module.__name__)
        for resource in _resources(module):
            names = list(inspect.signature(resource.__init__).parameters)[2:]
            instance = resource(version, *["XX" for _ in names])
            for name in _changing_methods(resource):
                yield f"{module.__name__}.{name}", _call(getattr(instance, name))


def _resource_modules() -> Iterator[Any]:
    for found in pkgutil.walk_packages(twilio.rest.__path__, "twilio.rest."):
        if found.name.count(".") >= 4:  # twilio.rest.<product>.<version>.<resource>
            yield importlib.import_module(found.name)


def _version(client: Client, module: str) -> Version:
    _, _, product, version, *_ = module.split(".")
    home = importlib.import_module(f"twilio.rest.{product}.{version}")
    kind = next(each for each in vars(home).values() if _is_own(each, home.__name__, Version))
    return kind(getattr(client, product))


def _resources(module: Any) -> list[type]:
    own = [each for each in vars(module).values() if _is_own(each, module.__name__, object)]
    return [each for each in own if each.__name__.endswith(("List", "Context"))]


def _is_own(each: Any, module: str, kind: type) -> bool:
    return inspect.isclass(each) and each.__module__ == module and issubclass(each, kind)


def _changing_methods(resource: type) -> list[str]:
    names = [name for name, each in vars(resource).items() if inspect.isfunction(each)]
    return [name for name in names if not name.startswith(("_", *_READING)) and "async" not in name]


def _call(method: Callable[..., Any]) -> Callable[[], Any]:
    parameters = inspect.signature(method).parameters
    return lambda: method(**{name: Anything() for name in parameters})
