"""What things cost out of the box, what a setting changes, and how amounts look outside."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from retinue.base.settings import Settings
from retinue.credits.prices import prices_of
from retinue.credits.shapes import as_credits, as_hundredths
from retinue.credits.tables import MOST


class TestThePriceList:
    def test_is_this_out_of_the_box(self) -> None:
        assert prices_of(Settings()).shown() == {
            "image_upload": 0.65,
            "zip_image": 0.70,
            "video_frame": 0.40,
            "inference_image": 2.75,
            "inference_video_frame": 1.50,
            "cached": 0.0,
        }

    def test_follows_the_settings(self) -> None:
        assert prices_of(Settings(price_inference_image=Decimal("0.01"))).inference_image == 1

    @pytest.mark.parametrize("price", ["-1", "0.001", "NaN", "Infinity", "10000000000000000"])
    def test_takes_no_price_that_is_none(self, price: str) -> None:
        with pytest.raises(ValidationError):
            Settings(price_inference_image=price)


class TestAmounts:
    @given(st.integers(-MOST, MOST))
    def test_survive_the_trip_through_a_json_number(self, hundredths: int) -> None:
        assert as_hundredths(Decimal(repr(as_credits(hundredths)))) == hundredths
