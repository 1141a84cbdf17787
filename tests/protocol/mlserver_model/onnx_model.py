"""How MLServer runs a graph: its own decoding and encoding around its own onnxruntime."""

import onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


class OnnxModel(MLModel):
    async def load(self) -> bool:
        self._session = onnxruntime.InferenceSession(self.settings.parameters.uri)
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        feed = {told.name: NumpyCodec.decode_input(told) for told in payload.inputs}
        names = [told.name for told in self._session.get_outputs()]
        outputs = [NumpyCodec.encode_output(*one) for one in zip(names, self._session.run(None, feed), strict=True)]
        return InferenceResponse(model_name=self.name, outputs=outputs)
