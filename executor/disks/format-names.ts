/** Formats a raw disk can be had in. `vmdk-stream` is compressed, for transport; `vmdk-flat` is two files. */
export const DISK_FORMATS = ['raw', 'qcow2', 'vmdk-stream', 'vmdk-flat', 'vdi', 'vhd'] as const;
export type DiskFormat = (typeof DISK_FORMATS)[number];
