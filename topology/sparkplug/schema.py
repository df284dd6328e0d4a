"""The Sparkplug B payload as protobuf knows it: our own table of its messages and fields, made into classes at import.

The numbers are those of the specification (3.0, chapter 6). What a peer has in fields beyond them is kept, and not read.
"""

from typing import Any

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

_PACKAGE = "uns.sparkplug"
_VALUE = "value"
"""The name of the one-of that holds a value, wherever there is one."""
_SCALARS = {
    "uint32": FieldDescriptorProto.TYPE_UINT32,
    "uint64": FieldDescriptorProto.TYPE_UINT64,
    "float": FieldDescriptorProto.TYPE_FLOAT,
    "double": FieldDescriptorProto.TYPE_DOUBLE,
    "bool": FieldDescriptorProto.TYPE_BOOL,
    "string": FieldDescriptorProto.TYPE_STRING,
    "bytes": FieldDescriptorProto.TYPE_BYTES,
}
_PLAIN = ("int_value:uint32", "long_value:uint64", "float_value:float", "double_value:double", "boolean_value:bool")
"""The first alternatives of every value, in the order of their numbers; a string follows."""


def _values(first: int, *more: str) -> dict[int, str]:
    """The alternatives of a value, numbered from `first` on."""
    return {first + n: f"{field}!" for n, field in enumerate((*_PLAIN, "string_value:string", *more))}


# Number → name:type; a `*` behind it: repeated, a `!`: an alternative of the message's value.
_MESSAGES: dict[str, dict[int, str]] = {
    "Payload": {1: "timestamp:uint64", 2: "metrics:Metric*", 3: "seq:uint64", 4: "uuid:string", 5: "body:bytes"},
    "Metric": {
        1: "name:string",
        2: "alias:uint64",
        3: "timestamp:uint64",
        4: "datatype:uint32",
        5: "is_historical:bool",
        6: "is_transient:bool",
        7: "is_null:bool",
        9: "properties:PropertySet",
        **_values(10, "bytes_value:bytes", "dataset_value:DataSet", "template_value:Template"),
    },
    "PropertySet": {1: "keys:string*", 2: "values:PropertyValue*"},
    "PropertyValue": {1: "type:uint32", 2: "is_null:bool", **_values(3)},
    "DataSet": {1: "num_of_columns:uint64", 2: "columns:string*", 3: "types:uint32*", 4: "rows:Row*"},
    "Row": {1: "elements:Element*"},
    "Element": _values(1),
    "Template": {
        1: "version:string",
        2: "metrics:Metric*",
        3: "parameters:Parameter*",
        4: "template_ref:string",
        5: "is_definition:bool",
    },
    "Parameter": {1: "name:string", 2: "type:uint32", **_values(3)},
}


def _file() -> FileDescriptorProto:
    file = FileDescriptorProto(name="uns/sparkplug.proto", package=_PACKAGE, syntax="proto2")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, written in fields.items():
            field_name, _, kind = written.rstrip("*!").partition(":")
            field = message.field.add(name=field_name, number=number, label=FieldDescriptorProto.LABEL_OPTIONAL)
            if written.endswith("*"):
                field.label = FieldDescriptorProto.LABEL_REPEATED
            if kind in _SCALARS:
                field.type = _SCALARS[kind]
            else:
                field.type, field.type_name = FieldDescriptorProto.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
            if written.endswith("!"):
                if not message.oneof_decl:
                    message.oneof_decl.add(name=_VALUE)
                field.oneof_index = 0
    return file


_pool = DescriptorPool()
_pool.Add(_file())
Payload: Any = GetMessageClass(_pool.FindMessageTypeByName(f"{_PACKAGE}.Payload"))
"""The class of a payload; its fields are those of the table."""
