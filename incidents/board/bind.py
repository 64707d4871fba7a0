"""Rows that were read by themselves, bound to each other as Django's prefetching binds them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Model

Index = dict[type[Model], dict[Any, Any]]


def bind(index: Index, paths: dict[type[Model], str]) -> None:
    """Bind rows to each other, as prefetching would: each names its parent, and each parent lists its rows.

    Args:
        paths: how the rows of each table lead to the incident; the first step names their parent.
    """
    if missing := _strangers(index):
        index[get_user_model()] |= get_user_model().objects.in_bulk(missing)
    for model, found in index.items():
        for field in _links(model):
            _point_forward(field, found.values(), index)
    for model, path in paths.items():
        _point_back(model._meta.get_field(path.split("__")[0]), index)


@lru_cache
def _links(model: type[Model]) -> list[Any]:
    return [field for field in model._meta.concrete_fields if field.many_to_one or field.one_to_one]


def _strangers(index: Index) -> set[int]:
    """Ids of people whom a row names and who were not read."""
    users = get_user_model()
    named = {
        getattr(row, field.attname)
        for model, found in index.items()
        for field in _links(model)
        if field.related_model is users
        for row in found.values()
    }
    return named - {None} - set(index[users])


def _point_forward(field: Any, found: Iterable[Any], index: Index) -> None:
    others = index.get(field.related_model, {})
    for row in found:
        other = others.get(getattr(row, field.attname))
        if other is not None:
            field.set_cached_value(row, other)


def _point_back(field: Any, index: Index) -> None:
    """Fill the parent's side of a relation: a list for many, a row or nothing for one."""
    children: dict[Any, list[Any]] = {}
    for row in index[field.model].values():
        children.setdefault(getattr(row, field.attname), []).append(row)
    for pk, parent in index[field.related_model].items():
        own = children.get(pk, [])
        if field.one_to_one:
            field.remote_field.set_cached_value(parent, own[0] if own else None)
        else:
            _fill(parent, field, own)


def _fill(parent: Any, field: Any, own: list[Any]) -> None:
    name = field.remote_field.get_accessor_name()
    queryset = getattr(parent, name).all()
    queryset._result_cache, queryset._prefetch_done = own, True
    if not hasattr(parent, "_prefetched_objects_cache"):
        parent._prefetched_objects_cache = {}
    parent._prefetched_objects_cache[name] = queryset
