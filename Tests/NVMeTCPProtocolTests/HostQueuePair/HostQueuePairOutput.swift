import NVMeProtocol
import NVMeTCPProtocol

/// One PDU that the host has sent.
enum HostQueuePairOutput: Equatable {
  case connectionRequest(ICRequest)
  case command(SubmissionQueueEntry, data: [UInt8])
  case data(H2CDataHeader, [UInt8])
  case termination(TerminationRequest, offendingHeader: [UInt8])
}
