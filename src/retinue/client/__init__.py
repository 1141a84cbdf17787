"""The SDK: `Client` and `AsyncClient` ask a Retinue server. It installs light and imports nothing of the server.

from retinue.client import Client

with Client("http://127.0.0.1:8000", key="rtn_…") as retinue:
    print(retinue.predict("coffee.jpg").predicted_class)
"""

from retinue.client.coco import as_coco
from retinue.client.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotEnoughCredits,
    NotFound,
    NotSignedIn,
    NotYet,
    Problem,
    RetinueError,
    TooLarge,
    TooMany,
    Unavailable,
    Unreachable,
)
from retinue.client.jobs import Job
from retinue.client.pictures import Picture
from retinue.client.predicting import Prediction
from retinue.client.tree import AsyncClient, Client
from retinue.client.trying import Tries

__all__ = [
    "AsyncClient",
    "Client",
    "Conflict",
    "Forbidden",
    "Invalid",
    "Job",
    "NotEnoughCredits",
    "NotFound",
    "NotSignedIn",
    "NotYet",
    "Picture",
    "Prediction",
    "Problem",
    "RetinueError",
    "TooLarge",
    "TooMany",
    "Tries",
    "Unavailable",
    "Unreachable",
    "as_coco",
]
