"""Every screen of the face, in the order of the navigation; none of them is in the OpenAPI document."""

from collections.abc import Sequence

from fastapi import APIRouter

from retinue.web.pages import (
    administration,
    crib,
    datasets,
    history,
    jobs,
    keys,
    kits,
    language,
    loans,
    model_shelf,
    painter,
    pictures,
    playground,
    signing_in,
    statement,
    system,
    verdicts,
    versions,
    webhooks,
)

PAGES: Sequence[APIRouter] = (
    signing_in.pages,
    language.pages,
    playground.pages,
    painter.pages,
    history.pages,
    datasets.pages,
    jobs.pages,
    crib.pages,
    kits.pages,
    loans.pages,
    statement.pages,
    keys.pages,
    webhooks.pages,
    administration.pages,
    model_shelf.pages,
    verdicts.pages,
    versions.pages,
    system.pages,
    pictures.pages,
)
