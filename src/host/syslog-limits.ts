/**
 * What one machine may send to the syslog relay. The firewall in front of it applies these for each machine by itself, so
 * that a flood of one takes nothing from the others; bursts are those of a boot, which sends all kernel messages at once.
 */

/** By UDP. What is more is dropped, and counted. */
export const SYSLOG_DATAGRAMS_PER_SECOND = 200;
export const SYSLOG_DATAGRAMS_BURST = 5000;

/** By TCP and RELP together. What is more is dropped as packets, so the sender is slowed down and loses nothing. */
export const SYSLOG_BYTES_PER_SECOND = 256 * 1024;
export const SYSLOG_BYTES_BURST = 1024 * 1024;

/** Open TCP and RELP connections of one machine. A rsyslogd or syslog-ng in a machine needs one. */
export const SYSLOG_CONNECTIONS = 8;

/** Where RELP is received, where the host has rsyslog-relp: at the address of `syslog`, by the port that is usual for it. */
export const SYSLOG_RELP_PORT = 20514;
