"""What a reader must know of the machine and the software to judge the figures."""

import os
import platform
import re
import subprocess


def output_of(*command):
    """The first line a program prints, or None where it is not there or fails."""
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = (result.stdout + result.stderr).strip().splitlines()
    return lines[0].strip() if result.returncode == 0 and lines else None


def first_match(path, pattern):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            match = re.search(pattern, file.read(), re.MULTILINE)
    except OSError:
        return None
    return match.group(1).strip() if match else None


def free_huge_page_mebibytes():
    pages = int(first_match("/proc/meminfo", r"^HugePages_Free:\s*(\d+)") or 0)
    kibibytes = int(first_match("/proc/meminfo", r"^Hugepagesize:\s*(\d+)") or 0)
    return pages * kibibytes // 1024


def commit(directory):
    """The commit that is measured, with "+" where files differ from it."""
    name = output_of("git", "-C", directory, "rev-parse", "--short=12", "HEAD")
    if name is None:
        return None
    changed = output_of("git", "-C", directory, "status", "--porcelain", "--untracked-files=no")
    return name + ("+" if changed else "")


def describe(directory):
    return {
        "kernel": platform.release(),
        "kernel_command_line": first_match("/proc/cmdline", r"(.*)"),
        "cpu": first_match("/proc/cpuinfo", r"^model name\s*:\s*(.*)$") or platform.machine(),
        "processors": os.cpu_count(),
        "hypervisor": "hypervisor" in (first_match("/proc/cpuinfo", r"^flags\s*:\s*(.*)$") or "").split(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "huge_pages_free_mib": free_huge_page_mebibytes(),
        # Not a detail: bbr's pacing sets a timer for many a segment.
        "tcp_congestion_control": first_match("/proc/sys/net/ipv4/tcp_congestion_control", r"(.*)"),
        "governor": first_match("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", r"(.*)"),
        "liburing": output_of("pkg-config", "--modversion", "liburing"),
        "swift": output_of("swift", "--version"),
        "cc": output_of("cc", "--version"),
        "commit": commit(directory),
    }
