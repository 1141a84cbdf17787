"""What things cost: the price list of the settings, in hundredths. A model may have prices of its own (catalog)."""

from dataclasses import dataclass

from retinue.base.settings import Settings
from retinue.credits.shapes import as_credits, as_hundredths


@dataclass(frozen=True, slots=True)
class Prices:
    image_upload: int
    zip_image: int
    video_frame: int
    inference_image: int
    inference_video_frame: int
    cached: int

    def shown(self) -> dict[str, float]:
        return {name: as_credits(getattr(self, name)) for name in self.__slots__}


def prices_of(settings: Settings) -> Prices:
    return Prices(
        image_upload=as_hundredths(settings.price_image_upload),
        zip_image=as_hundredths(settings.price_zip_image),
        video_frame=as_hundredths(settings.price_video_frame),
        inference_image=as_hundredths(settings.price_inference_image),
        inference_video_frame=as_hundredths(settings.price_inference_video_frame),
        cached=as_hundredths(settings.price_cached),
    )
