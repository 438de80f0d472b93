/** Files the client holds open through vFile: descriptors of virtual, read-only files. */
const MAX_OPEN = 64;

export class OpenFiles {
  readonly #files = new Map<number, Uint8Array>();

  /** A new descriptor, undefined when too many are open. */
  open(content: Uint8Array): number | undefined {
    for (let fd = 3; fd < 3 + MAX_OPEN; fd++) {
      if (this.#files.has(fd)) continue;
      this.#files.set(fd, content);
      return fd;
    }
    return undefined;
  }

  get(fd: number): Uint8Array | undefined {
    return this.#files.get(fd);
  }

  close(fd: number): boolean {
    return this.#files.delete(fd);
  }
}
