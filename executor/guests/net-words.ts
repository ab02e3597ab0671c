/** `10.0.2.15/24` as address and mask in dotted form. */
export function dotted(cidr: string): { address: string; prefix: number; mask: string } {
  const [address = '', bits = '32'] = cidr.split('/');
  const prefix = Number(bits);
  const mask = prefix === 0 ? 0 : (0xffffffff << (32 - prefix)) >>> 0;
  return { address, prefix, mask: [24, 16, 8, 0].map((shift) => (mask >>> shift) & 255).join('.') };
}
