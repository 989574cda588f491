/** Datagrams as a deployed 3.x factory and its clients send them, byte for byte. */

export const RECORDED = {
  machinesQuery:
    '{"vac_version": "Vac 03.00.00 vac-command", "vacquery_version": "VacQuery 01.03", "space": "vac01.example.com", "cookie": "a3bf0238cd50d36f66390b4276d3b3f9b5b218db63489cd2a693215570aa56c6", "method": "machines", "message_type": "machines_query"}',
  machinetypesQuery:
    '{"vac_version": "Vac 03.00.00 vacd-factory", "vacquery_version": "VacQuery 01.03", "space": "vac01.example.com", "cookie": "a3bf0238cd50d36f66390b4276d3b3f9b5b218db63489cd2a693215570aa56c6", "message_type": "machinetypes_query"}',
  factoryQuery:
    '{"vac_version": "Vac 03.00.00", "vacquery_version": "VacQuery 01.03", "space": "vac01.example.com", "cookie": "a3bf0238cd50d36f66390b4276d3b3f9b5b218db63489cd2a693215570aa56c6", "method": "factories", "message_type": "factory_query"}',
  machineRunning:
    '{"message_type": "machine_status", "vac_version": "Vac 03.00.00 vacd-responder", "daemon_version": "Vac 03.00.00 vacd-responder", "vacquery_version": "VacQuery 01.03", "cookie": "a3bf0238cd50d36f66390b4276d3b3f9b5b218db63489cd2a693215570aa56c6", "space": "vac01.example.com", "factory": "wn01.example.com", "num_machines": 4, "time_sent": 1795237353, "machine": "wn01-00.example.com", "state": "Running", "machine_model": "cernvm3", "uuid": "0d5e3a52-7f0e-4a5c-9f0a-5d1b6a0c0a00", "created_time": 1795236353, "started_time": 1795237353, "heartbeat_time": 1795237353, "num_cpus": 8, "num_processors": 8, "cpu_seconds": 950, "cpu_percentage": 95.0, "hs06": 84.0, "machinetype": "lhcb-prod", "shutdown_message": null, "shutdown_time": null, "site": "UKI-EXAMPLE-SITE", "fqan": "/lhcb/Role=NULL/Capability=NULL"}',
  machineStarting:
    '{"message_type": "machine_status", "vac_version": "Vac 03.00.00 vacd-responder", "daemon_version": "Vac 03.00.00 vacd-responder", "vacquery_version": "VacQuery 01.03", "cookie": "a3bf0238cd50d36f66390b4276d3b3f9b5b218db63489cd2a693215570aa56c6", "space": "vac01.example.com", "factory": "wn01.example.com", "num_machines": 4, "time_sent": 1795237353, "machine": "wn01-01.example.com", "state": "Starting", "machine_model": "cernvm3", "uuid": "0d5e3a52-7f0e-4a5c-9f0a-5d1b6a0c0a01", "created_time": 1795237323, "started_time": null, "heartbeat_time": 1795237353, "num_cpus": 8, "num_processors": 8, "cpu_seconds": 950, "cpu_percentage": 95.0, "hs06": 84.0, "machinetype": "lhcb-prod", "shutdown_message": null, "shutdown_time": null, "site": "UKI-EXAMPLE-SITE", "fqan": "/lhcb/Role=NULL/Capability=NULL"}',
  machineFinished:
    '{"message_type": "machine_status", "vac_version": "Vac 03.00.00 vacd-responder", "daemon_version": "Vac 03.00.00 vacd-responder", "vacquery_version": "VacQuery 01.03", "cookie": "a3bf0238cd50d36f66390b4276d3b3f9b5b218db63489cd2a693215570aa56c6", "space": "vac01.example.com", "factory": "wn01.example.com", "num_machines": 4, "time_sent": 1795237353, "machine": "wn01-02.example.com", "state": "Shut down", "machine_model": "cernvm3", "uuid": "0d5e3a52-7f0e-4a5c-9f0a-5d1b6a0c0a02", "created_time": 1795236353, "started_time": 1795237353, "heartbeat_time": 1795237353, "num_cpus": 1, "num_processors": 1, "cpu_seconds": 950, "cpu_percentage": 95.0, "hs06": 10.5, "machinetype": "atlas-prod", "shutdown_message": "300 No more work available from task queue", "shutdown_time": 1795237353, "site": "UKI-EXAMPLE-SITE"}',
  machineEmptySlot:
    '{"message_type": "machine_status", "vac_version": "Vac 03.00.00 vacd-responder", "daemon_version": "Vac 03.00.00 vacd-responder", "vacquery_version": "VacQuery 01.03", "cookie": "a3bf0238cd50d36f66390b4276d3b3f9b5b218db63489cd2a693215570aa56c6", "space": "vac01.example.com", "factory": "wn01.example.com", "num_machines": 4, "time_sent": 1795237353, "machine": "wn01-03.example.com", "state": "Shut down", "machine_model": null, "uuid": null, "created_time": null, "started_time": null, "heartbeat_time": null, "num_cpus": 0, "num_processors": 0, "cpu_seconds": 0, "cpu_percentage": 0, "hs06": 0.0, "machinetype": null, "shutdown_message": null, "shutdown_time": null, "site": "UKI-EXAMPLE-SITE"}',
  machinetypeRunning:
    '{"message_type": "machinetype_status", "vac_version": "Vac 03.00.00 vacd-responder", "daemon_version": "Vac 03.00.00 vacd-responder", "vacquery_version": "VacQuery 01.03", "cookie": "a3bf0238cd50d36f66390b4276d3b3f9b5b218db63489cd2a693215570aa56c6", "space": "vac01.example.com", "factory": "wn01.example.com", "num_machinetypes": 2, "time_sent": 1795237353, "machinetype": "lhcb-prod", "bytes_per_processor": 2147483648, "running_hs06": 168.0, "running_machines": 2, "running_cpus": 9.0, "running_processors": 9.0, "num_before_fizzle": 2, "shutdown_message": null, "shutdown_time": null, "shutdown_machine": null, "site": "UKI-EXAMPLE-SITE", "fqan": "/lhcb/Role=NULL/Capability=NULL", "max_wallclock_seconds": 86400, "max_processors": 8}',
  machinetypeIdle:
    '{"message_type": "machinetype_status", "vac_version": "Vac 03.00.00 vacd-responder", "daemon_version": "Vac 03.00.00 vacd-responder", "vacquery_version": "VacQuery 01.03", "cookie": "a3bf0238cd50d36f66390b4276d3b3f9b5b218db63489cd2a693215570aa56c6", "space": "vac01.example.com", "factory": "wn01.example.com", "num_machinetypes": 2, "time_sent": 1795237353, "machinetype": "atlas-prod", "bytes_per_processor": 2147483648, "running_hs06": 0.0, "running_machines": 0, "running_cpus": 0, "running_processors": 0, "num_before_fizzle": 0, "shutdown_message": "300 No more work available from task queue", "shutdown_time": 1795237353, "shutdown_machine": "wn01-02.example.com", "site": "UKI-EXAMPLE-SITE", "max_wallclock_seconds": 86400, "max_processors": 1}',
  factoryStatus:
    '{"message_type": "factory_status", "vac_version": "Vac 03.00.00 vacd-responder", "daemon_version": "Vac 03.00.00 vacd-responder", "vacquery_version": "VacQuery 01.03", "cookie": "a3bf0238cd50d36f66390b4276d3b3f9b5b218db63489cd2a693215570aa56c6", "space": "vac01.example.com", "factory": "wn01.example.com", "time_sent": 1795237353, "running_cpus": 16, "running_processors": 16, "running_machines": 2, "running_hs06": 168.0, "max_cpus": 4, "max_processors": 4, "max_machines": 4, "max_hs06": 42.0, "total_cpus": 4, "total_machines": 4, "total_hs06": 42.0, "root_disk_avail_kb": 79318852, "root_disk_avail_inodes": 16298957, "vac_disk_avail_kb": 12341912, "daemon_disk_avail_kb": 12341912, "vac_disk_avail_inodes": 3085456, "daemon_disk_avail_inodes": 3085456, "load_average": 0.06, "kernel_version": "6.1.0-40-amd64", "os_issue": "6.1.0-40-amd64", "boot_time": 1795233670, "factory_heartbeat_time": 1795237353, "responder_heartbeat_time": 1795237353, "mjf_heartbeat_time": 1795237353, "metadata_heartbeat_time": 1795237353, "swap_used_kb": 0, "swap_free_kb": 0, "mem_used_kb": 407168, "mem_total_kb": 24684092, "site": "UKI-EXAMPLE-SITE"}',
} as const;

export type RecordedName = keyof typeof RECORDED;

export const RECORDED_NAMES = Object.keys(RECORDED) as RecordedName[];

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function recorded(name: RecordedName): Uint8Array {
  return bytes(RECORDED[name]);
}
