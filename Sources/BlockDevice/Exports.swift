// `import BlockDevice` is all a user writes: what its API names comes along.
@_exported public import NVMeHost
@_exported public import NVMeProtocol
@_exported public import RingReactor
@_exported public import TCPTransport
