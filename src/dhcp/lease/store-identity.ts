// Who a lease store is. The store's random id is the member's incarnation: a new pod on its old disk keeps it.

export interface StoreIdentity {
  /** 16 random bytes as hex, made with an empty store. */
  readonly store: string;
  /** Counts the opens of this store; a partner that saw a higher one knows that an old backup was restored. */
  readonly generation: number;
  /** Records that the store had taken before this open. Falls for nothing but an old copy. */
  readonly position: number;
  /** Made by this very start: nothing was found on disk. */
  readonly fresh: boolean;
}
