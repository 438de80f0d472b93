/**
 * Bytes of the data access that is being translated, as far as they lie in its page. It lives from there to `GuestHooks.translate`,
 * where on the APIC-access page it makes a difference: not machine state.
 */
export const accessSpan = { length: 1 };
