import { existsSync } from 'node:fs';
import { addHostFile } from './host-files.js';
import { VCAP, type RootTree } from './tree.js';

/** Where a Cloud Foundry container keeps the application: its home and working folder. */
export const APP_DIR = '/home/vcap/app';
export const TMP_DIR = '/home/vcap/tmp';
export const DEFAULT_PORT = 8080;

const CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt';

/** Environment that every image starts with; MEMORY_LIMIT and the rest of CF's own come at run time. */
export const BASE_ENV: Readonly<Record<string, string>> = {
  HOME: APP_DIR,
  USER: 'vcap',
  PATH: '/usr/local/bin:/usr/bin:/bin',
  LANG: 'C.UTF-8',
  TMPDIR: TMP_DIR,
  // OpenSSL looks in a folder of hashed names first, which an image does not have.
  SSL_CERT_FILE: CERTIFICATES,
  PORT: String(DEFAULT_PORT),
};

/** What a program expects of a Linux root beside itself: users, name service, certificates, empty mount points. */
export function addBase(tree: RootTree): void {
  for (const path of ['/proc', '/sys', '/dev', '/run', '/etc', '/usr', '/var']) tree.folder(path);
  for (const path of ['/tmp', '/var/tmp']) tree.folder(path, 0o1777);
  for (const path of ['/home/vcap', APP_DIR, TMP_DIR]) tree.folder(path, 0o755, VCAP);
  tree.file('/etc/passwd', PASSWD);
  tree.file('/etc/group', GROUP);
  tree.file('/etc/hosts', '127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n');
  tree.file('/etc/nsswitch.conf', 'passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n');
  // Written by the guest's init when it knows the name servers.
  tree.symlink('/etc/resolv.conf', '/run/resolv.conf');
  if (existsSync(CERTIFICATES)) {
    addHostFile(tree, CERTIFICATES);
    // The names under which other systems, and so some runtimes, keep the same file.
    tree.symlink('/etc/ssl/cert.pem', 'certs/ca-certificates.crt');
  }
}

const PASSWD = `root:x:0:0:root:/root:/sbin/nologin
vcap:x:2000:2000:vcap:/home/vcap:/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin
`;

const GROUP = `root:x:0:
vcap:x:2000:
nogroup:x:65534:
`;
