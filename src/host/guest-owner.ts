/** What guests' files belong to on this host: nobody, as NFS squashes to. */
export interface GuestOwner {
  readonly uid: number;
  readonly gid: number;
}
