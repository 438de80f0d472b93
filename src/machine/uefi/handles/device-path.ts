import type { Guid } from '../guids.ts';
import { guidText } from '../guids.ts';
import { Pack, utf16Bytes, utf16Text } from '../pack.ts';

/** Device paths: UEFI 2.10, 10.3. A node is type, subtype, 16-bit length, data; the end node has type 0x7f. */
export interface PathNode {
  readonly type: number;
  readonly subtype: number;
  readonly data: Uint8Array;
}

const END = 0x7f;
export const MEDIA = 4;
export const FILE_PATH = 4;

export function encodeNode(node: PathNode): Uint8Array {
  return new Pack()
    .u8(node.type, node.subtype)
    .u16(node.data.length + 4)
    .bytes(node.data)
    .done();
}

export function encodePath(nodes: readonly PathNode[]): Uint8Array {
  const pack = new Pack();
  for (const n of nodes) pack.bytes(encodeNode(n));
  return pack.u8(END, 0xff).u16(4).done();
}

/** Vendor-defined hardware node (10.3.2.4). */
export const vendorHardware = (guid: Guid): PathNode => ({ type: 1, subtype: 4, data: new Pack().guid(guid).done() });
/** File path media node (10.3.5.4). */
export const filePathNode = (path: string): PathNode => ({ type: MEDIA, subtype: FILE_PATH, data: utf16Bytes(path) });

const LIMIT = 0x1_0000;

/**
 * Reads a path through `read`, which gives bytes at an offset from the path's start. A node shorter than its header ends
 * it, as does 64 KiB: guests hand in wild pointers.
 */
export function decodePath(read: (offset: number, length: number) => Uint8Array): { nodes: PathNode[]; length: number } | undefined {
  const nodes: PathNode[] = [];
  for (let at = 0; at < LIMIT;) {
    const header = read(at, 4);
    const length = header[2]! | (header[3]! << 8);
    if (length < 4) return undefined;
    if (header[0] === END && header[1] === 0xff) return { nodes, length: at };
    nodes.push({ type: header[0]!, subtype: header[1]!, data: read(at + 4, length - 4) });
    at += length;
  }
  return undefined;
}

/** True when `nodes` begins with all of `prefix`. */
export function startsWith(nodes: readonly PathNode[], prefix: readonly PathNode[]): boolean {
  return prefix.length <= nodes.length && prefix.every((p, n) => sameNode(p, nodes[n]!));
}

function sameNode(a: PathNode, b: PathNode): boolean {
  return a.type === b.type && a.subtype === b.subtype && a.data.length === b.data.length && a.data.every((v, n) => v === b.data[n]);
}

/** The file named by the file path nodes: their texts joined with `\`; undefined when another node is among them. */
export function fileOfNodes(nodes: readonly PathNode[]): string | undefined {
  let path = '';
  for (const n of nodes) {
    if (n.type !== MEDIA || n.subtype !== FILE_PATH) return undefined;
    const part = utf16Text(n.data);
    path += path === '' || path.endsWith('\\') || part.startsWith('\\') ? part : `\\${part}`;
  }
  return path;
}

/** Text of a path for people and for EFI_DEVICE_PATH_TO_TEXT (10.6): the nodes we make, and a generic form for others. */
export function pathText(nodes: readonly PathNode[]): string {
  return nodes.map(nodeText).join('/');
}

export function nodeText(node: PathNode): string {
  if (node.type === MEDIA && node.subtype === FILE_PATH) return utf16Text(node.data);
  if (node.type === 1 && node.subtype === 4 && node.data.length >= 16) return `VenHw(${guidText(node.data.subarray(0, 16)).toUpperCase()})`;
  const data = Array.from(node.data, (b) => b.toString(16).padStart(2, '0').toUpperCase()).join('');
  return `Path(${node.type},${node.subtype}${data && `,${data}`})`;
}
