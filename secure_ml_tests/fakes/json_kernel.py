"""A kernel behind JSON: every request and answer is text on its way, as it is over a socket."""

from secure_ml.vault.messages import Kernel, Message


class JsonKernel:
    """Passes on what another kernel is asked and answers, written to JSON and read back."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def send(self, request: Message) -> Message:
        return _through_json(self._kernel.send(_through_json(request)))


def _through_json(message: Message) -> Message:
    arrived = type(message).model_validate_json(message.model_dump_json())
    assert arrived == message
    assert {name: type(value) for name, value in arrived} == {name: type(value) for name, value in message}
    return arrived
