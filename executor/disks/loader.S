/*
 * Boots Linux from a disk by the BIOS: the "Linux/x86 Boot Protocol" of the kernel's documentation, version 2.02 and
 * later. Sector 0 holds `mbr`, which reads `loader` from sector 34 on; the numbers in `facts` are filled in by
 * `loader.ts`. Real mode throughout; memory above 1 MB is reached by segments whose limit was raised in protected mode.
 *
 * 0x07c00 mbr   0x08000 loader   0x10000 the kernel's real-mode part and command line   0x20000 a buffer   0x100000 the kernel
 */
  .code16
  .intel_syntax noprefix
  .set LOADER_SECTOR, 34
  .set LOADER_SECTORS, 8
  .set CHUNK_SECTORS, 64

  .section .mbr, "ax"
mbr:
  cli
  xor ax, ax
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov sp, 0x7c00
  sti
  cld
  mov si, offset mbr_packet
  mov ah, 0x42
  int 0x13
  jc 1f
  ljmp 0, 0x8000
1:hlt
  jmp 1b
  .balign 4
mbr_packet:
  .byte 16, 0
  .word LOADER_SECTORS
  .word 0x8000, 0
  .quad LOADER_SECTOR

  .section .loader, "ax"
  jmp start
  .balign 16
facts: /* at 0x8010; loader.ts knows this order */
kernel_sector:  .quad 0
initrd_sector:  .quad 0
kernel_bytes:   .long 0
initrd_bytes:   .long 0
setup_sectors:  .long 0 /* of the kernel's real-mode part, its boot sector counted */
kernel_end:     .long 0 /* where it unpacks itself, the initramfs must not lie */
command_line:   .space 2048

  .balign 4
packet:
  .byte 16, 0
packet_count:  .word 0
  .word 0, 0x2000
packet_sector: .quad 0
drive:         .byte 0
  .balign 8
table: /* a null segment, and one of 4 GB */
  .quad 0, 0x00cf92000000ffff
table_pointer:
  .word 15
  .long table
memory_entry: .space 24

failure: .asciz "unik: this disk cannot be booted: its BIOS read failed\r\n"
no_room: .asciz "unik: this machine has too little memory for its kernel\r\n"

start:
  mov [drive], dl
  mov ax, 0x2401
  int 0x15

  /* The real-mode part, to 0x10000. */
  mov eax, dword ptr [kernel_sector]
  mov edx, dword ptr [kernel_sector + 4]
  mov ecx, [setup_sectors]
  shl ecx, 9
  mov edi, 0x10000
  call load

  /* The rest, to 1 MB. */
  mov eax, dword ptr [kernel_sector]
  mov edx, dword ptr [kernel_sector + 4]
  add eax, [setup_sectors]
  adc edx, 0
  mov ecx, [setup_sectors]
  shl ecx, 9
  neg ecx
  add ecx, [kernel_bytes]
  mov edi, 0x100000
  call load

  /* The initramfs, as high as memory goes. */
  call highest
  sub ebx, [initrd_bytes]
  and ebx, 0xfffff000
  cmp ebx, [kernel_end]
  jb too_small
  push ebx
  mov edi, ebx
  mov eax, dword ptr [initrd_sector]
  mov edx, dword ptr [initrd_sector + 4]
  mov ecx, [initrd_bytes]
  call load
  pop ebx

  /* The command line, to 0x1e000, and what the kernel's header wants to know. */
  mov ax, 0x1000
  mov es, ax
  mov si, offset command_line
  mov di, 0xe000
  mov cx, 1024
  rep movsw
  mov word ptr es:[0x1fa], 0xffff
  mov byte ptr es:[0x210], 0xff
  or byte ptr es:[0x211], 0x80
  mov dword ptr es:[0x218], ebx
  mov ebx, [initrd_bytes]
  mov dword ptr es:[0x21c], ebx
  mov word ptr es:[0x224], 0xde00
  mov dword ptr es:[0x228], 0x1e000
  cli
  mov ds, ax
  mov fs, ax
  mov gs, ax
  mov ss, ax
  mov sp, 0xe000
  ljmp 0x1020, 0

too_small:
  mov si, offset no_room
  jmp say

/* Reads ecx bytes from sector edx:eax to edi. */
load:
  mov dword ptr [packet_sector], eax
  mov dword ptr [packet_sector + 4], edx
1:test ecx, ecx
  jz 3f
  mov ebx, ecx
  cmp ebx, CHUNK_SECTORS * 512
  jbe 2f
  mov ebx, CHUNK_SECTORS * 512
2:mov eax, ebx
  add eax, 511
  shr eax, 9
  mov [packet_count], ax
  push ecx
  push edi
  push ebx
  mov si, offset packet
  mov dl, [drive]
  mov ah, 0x42
  int 0x13
  jc broken
  pop ebx
  pop edi
  movzx eax, word ptr [packet_count]
  add dword ptr [packet_sector], eax
  adc dword ptr [packet_sector + 4], 0
  mov ecx, ebx
  call copy
  pop ecx
  sub ecx, ebx
  jmp 1b
3:ret

broken:
  mov si, offset failure
/* To the first serial line, for a screen nobody looks at. Does not return. */
say:
  mov dx, 0x3fd
1:in al, dx
  test al, 0x20
  jz 1b
  lodsb
  test al, al
  jz 2f
  mov dx, 0x3f8
  out dx, al
  jmp say
2:hlt
  jmp 2b

/* ecx bytes from 0x20000 to edi, which it moves on. A BIOS call may lower the limits again, so each time anew. */
copy:
  push ebx
  mov esi, 0x20000
  add ecx, 3
  shr ecx, 2
  cli
  push ds
  push es
  lgdt [table_pointer]
  mov eax, cr0
  or al, 1
  mov cr0, eax
  jmp 1f
1:mov bx, 8
  mov ds, bx
  mov es, bx
  and al, 0xfe
  mov cr0, eax
  jmp 2f
2:xor bx, bx
  mov ds, bx
  mov es, bx
  addr32 rep movsd
  pop es
  pop ds
  sti
  pop ebx
  ret

/* ebx: the end of the highest memory below 2 GB, by the BIOS's map (int 0x15, 0xe820). */
highest:
  xor ebx, ebx
  xor ebp, ebp
1:mov eax, 0xe820
  mov edx, 0x534d4150
  mov ecx, 20
  mov di, offset memory_entry
  int 0x15
  jc 4f
  cmp dword ptr [memory_entry + 16], 1
  jne 3f
  cmp dword ptr [memory_entry + 4], 0
  jne 3f
  mov eax, dword ptr [memory_entry]
  cmp eax, 0x7f000000
  jae 3f
  add eax, dword ptr [memory_entry + 8]
  jc 2f
  cmp dword ptr [memory_entry + 12], 0
  jne 2f
  cmp eax, 0x7f000000
  jbe 5f
2:mov eax, 0x7f000000
5:cmp eax, ebp
  jbe 3f
  mov ebp, eax
3:test ebx, ebx
  jnz 1b
4:mov ebx, ebp
  ret
