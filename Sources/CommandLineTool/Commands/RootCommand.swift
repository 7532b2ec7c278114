import ArgumentParser
import BlockDevice

/// `nvmeof`.
struct RootCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "nvmeof",
    abstract: "NVMe over Fabrics (TCP) from user space: find, look at, read, write, copy and export namespaces.",
    discussion: """
      No kernel driver and no privileges are needed. Targets are given as a URI, as an SPDK-style transport \
      identifier, or with nvme-cli's options:

        'nvme+tcp://192.0.2.1:4420/nqn.2014-08.org.example:disk?nsid=1'
        "trtype:TCP traddr:192.0.2.1 trsvcid:4420 subnqn:nqn.2014-08.org.example:disk ns:1"
        -t tcp -a 192.0.2.1 -s 4420 -n nqn.2014-08.org.example:disk

      EXAMPLES
        nvmeof discover -a 192.0.2.1
        nvmeof list -a 192.0.2.1 -s 4420
        nvmeof id-ctrl -H nvme+tcp://192.0.2.1/NQN
        nvmeof read 'nvme+tcp://192.0.2.1/NQN?nsid=1' --start-block 0 --blocks 8
        nvmeof copy 'nvme+tcp://192.0.2.1/NQN?nsid=1' disk.img --sparse --verify
        nvmeof export 'nvme+tcp://192.0.2.1/NQN?nsid=1' --socket disk.sock
        nvmeof target --namespace memory:64M
        nvmeof --generate-completion-script bash > /etc/bash_completion.d/nvmeof

      nvme-cli's smart-log, error-log, fw-log, ana-log, effects-log, changed-ns-list-log and supported-log-pages are \
      understood, too: they are get-log with the page they name.

      """ + ExitStatus.help,
    version: "nvmeof \(PackageVersion.current)",
    subcommands: [
      DiscoverCommand.self, ListCommand.self, IdentifyControllerCommand.self, IdentifyNamespaceCommand.self,
      ListNamespacesCommand.self, ShowRegistersCommand.self, GetLogCommand.self, GetFeatureCommand.self,
      ReadCommand.self, WriteCommand.self, CompareCommand.self, VerifyCommand.self, WriteZeroesCommand.self,
      DatasetManagementCommand.self, FlushCommand.self, CopyCommand.self, ExportCommand.self, TargetCommand.self,
    ])
}
