// Nominal types over plain values: a number that is an address never passes for a number that is a time.
// Brands exist for the type checker only; at run time the value is the plain number or string.

declare const brand: unique symbol;

/** `T`, told apart from every other `T` by `Name`. Made by a cast in exactly one constructor per brand. */
export type Brand<T, Name extends string> = T & { readonly [brand]: Name };
