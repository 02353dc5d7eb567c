"""Records as other programs write them: header names are bytes to Kafka, and need be no text."""

import ctypes
from collections.abc import Mapping, Sequence

from confluent_kafka import cimpl

# enum rd_kafka_vtype_t of rdkafka.h.
_TOPIC, _VALUE, _KEY, _FLAGS, _HEADER = 1, 4, 5, 7, 9
_COPY = 2
_PRODUCER = 0


class _Memory(ctypes.Structure):
    _fields_ = [("start", ctypes.c_char_p), ("size", ctypes.c_size_t)]


class _Header(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("value", ctypes.c_char_p), ("size", ctypes.c_ssize_t)]


class _Union(ctypes.Union):
    _fields_ = [
        ("text", ctypes.c_char_p),
        ("number", ctypes.c_int),
        ("memory", _Memory),
        ("header", _Header),
        ("padding", ctypes.c_char * 64),
    ]


class _Part(ctypes.Structure):
    _fields_ = [("kind", ctypes.c_int), ("what", _Union)]


def write(
    connection: Mapping[str, str], topic: str, *, key: bytes, value: bytes, headers: Sequence[tuple[bytes, bytes]]
) -> None:
    """One record, by librdkafka's own interface: the Python client takes names that are text only."""
    library = ctypes.CDLL(cimpl.__file__)
    for function in (library.rd_kafka_conf_new, library.rd_kafka_new, library.rd_kafka_produceva):
        function.restype = ctypes.c_void_p
    trouble = ctypes.create_string_buffer(512)
    configuration = ctypes.c_void_p(library.rd_kafka_conf_new())
    for name, setting in connection.items():
        library.rd_kafka_conf_set(configuration, name.encode(), setting.encode(), trouble, len(trouble))
    client = ctypes.c_void_p(library.rd_kafka_new(_PRODUCER, configuration, trouble, len(trouble)))
    parts = [
        _Part(_TOPIC, _Union(text=topic.encode())),
        _Part(_VALUE, _Union(memory=_Memory(value, len(value)))),
        _Part(_KEY, _Union(memory=_Memory(key, len(key)))),
        _Part(_FLAGS, _Union(number=_COPY)),
        *(_Part(_HEADER, _Union(header=_Header(name, text, len(text)))) for name, text in headers),
    ]
    refused = library.rd_kafka_produceva(client, (_Part * len(parts))(*parts), ctypes.c_size_t(len(parts)))
    left = library.rd_kafka_flush(client, 15_000)
    library.rd_kafka_destroy(client)
    assert not refused
    assert left == 0
