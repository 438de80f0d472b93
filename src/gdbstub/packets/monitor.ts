import { fromHex } from '../wire/encoding.ts';
import { generalThread, malformed, type Packet } from './packet.ts';

/**
 * `monitor COMMAND`. The text goes as console output, whatever its length; a failed command ends with an error reply
 * after its text, because gdb prints the text of no error reply here.
 */
export const monitorPacket: Packet = {
  name: 'qRcmd',
  doc: { packet: 'qRcmd,hex', purpose: '`monitor` commands: see the table below' },
  available: (target) => target.monitor !== undefined,
  handle: (session, args) => {
    const command = fromHex(args);
    if (!command) return malformed();
    const result = session.target.monitor!.execute(generalThread(session), command.toString('utf8').trim());
    if (result.text !== '') session.print(result.text.endsWith('\n') ? result.text : `${result.text}\n`);
    if (result.quit) session.act({ kind: 'quit' });
    return result.failed ? 'E01' : 'OK';
  },
};
