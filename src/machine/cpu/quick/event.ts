/**
 * An event as a word: the vector; whether it has an error code; whether it is INT n, INT3 or INTO, for which the gate's DPL is
 * checked; whether RF is set in the image of RFLAGS; how far behind RIP it returns to.
 */
export const Event = { errorCode: 0x100, software: 0x200, resume: 0x400, length: 16 } as const;
