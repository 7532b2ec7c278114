internal import BlockDevice

/// What the interface calls a status of an I/O command, where clients look for a count by its name. The words are fixed:
/// they are not always those of the specifications.
enum StatusWord {
  static func word(of status: StatusField) -> String {
    let words: [UInt8: String] =
      switch status.statusCodeType {
      case .generic: generic
      case .commandSpecific: commandSpecific
      case .mediaAndDataIntegrity: media
      case .pathRelated: path
      default: [:]
      }
    return words[status.statusCode]
      ?? status.name.lowercased().split { !$0.isLetter && !$0.isNumber }.joined(separator: "_")
  }

  static func word(of type: StatusCodeType) -> String {
    switch type {
    case .generic: "generic"
    case .commandSpecific: "command_specific"
    case .mediaAndDataIntegrity: "media_error"
    case .pathRelated: "path"
    case .vendorSpecific: "vendor_specific"
    default: "reserved"
    }
  }

  private static let generic: [UInt8: String] = [
    0x01: "invalid_opcode", 0x02: "invalid_field", 0x03: "command_id_conflict", 0x04: "data_transfer_error",
    0x05: "aborted_power_loss", 0x06: "internal_device_error", 0x07: "aborted_by_request", 0x08: "aborted_sq_deletion",
    0x09: "aborted_failed_fused", 0x0A: "aborted_missing_fused", 0x0B: "invalid_namespace_or_format",
    0x0C: "command_sequence_error", 0x0D: "invalid_sgl_segment_descriptor", 0x0E: "invalid_number_of_sgl_descriptors",
    0x0F: "data_sgl_length_invalid", 0x10: "metadata_sgl_length_invalid", 0x11: "sgl_descriptor_type_invalid",
    0x13: "invalid_prp_offset", 0x14: "atomic_write_unit_exceeded", 0x15: "operation_denied",
    0x16: "invalid_sgl_offset",
    0x1B: "aborted_preempt_and_abort", 0x1C: "sanitize_failed", 0x1D: "sanitize_in_progress",
    0x1E: "data_block_granularity_invalid", 0x20: "command_namespace_is_protected", 0x21: "command_interrupted",
    0x22: "command_transient_transport_error", 0x80: "lba_out_of_range", 0x81: "capacity_exceeded",
    0x82: "namespace_not_ready", 0x83: "reservation_conflict", 0x84: "format_in_progress",
  ]

  private static let commandSpecific: [UInt8: String] = [
    0x80: "conflicting_attributes", 0x81: "invalid_protection_info", 0x82: "write_to_ro_range",
    0x83: "cmd_size_limit_size_exceeded",
  ]

  private static let media: [UInt8: String] = [
    0x80: "write_faults", 0x81: "unrecovered_read_error", 0x82: "guard_check_error",
    0x83: "application_tag_check_error",
    0x84: "reference_tag_check_error", 0x85: "compare_failure", 0x86: "access_denied",
    0x87: "deallocated_or_unwritten_block", 0x88: "end_to_end_storage_tag_check_error",
  ]

  private static let path: [UInt8: String] = [
    0x00: "internal_path_error", 0x01: "asymmetric_access_persistent_loss", 0x02: "asymmetric_access_inaccessible",
    0x03: "asymmetric_access_transition", 0x60: "controller_path_error", 0x70: "host_path_error",
    0x71: "aborted_by_host",
  ]
}
