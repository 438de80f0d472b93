/** A wire to an interrupt controller: true while asserted, whatever the electrical polarity. */
export type IrqLine = (asserted: boolean) => void;

export const notConnected: IrqLine = () => {};
