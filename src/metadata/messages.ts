/**
 * What passes between the HTTP server in the child and vacd, and the limits that both keep: the child so that it is
 * honest, vacd because it may not be. `request` is a number that the child makes up for each.
 *
 *     child → vacd                                          vacd → child
 *     machine {request, ip}                                 machine {request, machine | null}
 *     list {request, ip, machine, directory}                names {request, names}
 *     read {request, ip, machine, place, name}              content {request, found, last} + bytes
 *     more {request}   while last was false                 content …
 *     stop {request}   it wants no more of it
 *     put {request, ip, machine, name}                      taken {request}: the next chunk may come
 *     chunk {request} + bytes, end {request}, abort {request}   done {request, outcome}, at any time
 *                                                           failed {request}: a fault of the host, which vacd has logged
 *                                                           busy {request}: that machine asks too much
 *
 * The child answers by itself what follows from a machine's facts; of files it gets bytes and never a path or a
 * descriptor. Each question names the address, and after the first the machine that had it then: between two questions
 * the slot may have gone to another machine, and that one's files are not given.
 */

export const HTTP_PART = 'http';

/** Of one piece of a file; both ways. */
export const CHUNK_BYTES = 32 * 1024;
/** Requests of one machine that are answered at a time, one on each connection that it may have; more are refused. */
export const MAX_OPEN_PER_MACHINE = 32;
/** Open questions of all. */
export const MAX_OPEN = 1024;
/** What one machine may ask for of its files; a listing or an upload counts for more than a read, by what it costs. */
export const FILES = { perSecond: 20, burst: 600 } as const;
/** Lines in vacd's log of what failed for one machine: by NFS it can take away what it PUTs, again and again. */
export const FAULT_LINES = { perSecond: 0.1, burst: 20 } as const;
export const COSTS = { read: 1, list: 4, put: 4 } as const;
/** Machines whose use of that is remembered. */
export const MAX_REMEMBERED = 4096;
export const MAX_REQUEST = 2 ** 31;
/** A machine's id is longer than its host name, by its time and type. */
export const MAX_ID_CHARS = 400;
export const MAX_NAME_CHARS = 128;
