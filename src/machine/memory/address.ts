/**
 * Address types. Physical addresses are numbers (52 bits fit a double exactly); linear addresses are bigints (64 bits).
 * The two cannot be confused by accident: the compiler tells them apart without casts in arithmetic.
 */
export type PhysAddr = number;
export type LinearAddr = bigint;
