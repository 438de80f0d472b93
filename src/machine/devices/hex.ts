/** Numbers for `describe()` texts. */
export const hex = (value: number, digits = 2): string => (value >>> 0).toString(16).padStart(digits, '0');
