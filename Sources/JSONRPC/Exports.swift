// Values are all that most of what uses RPC deals with.
@_exported public import JSON
