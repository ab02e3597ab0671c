/** Configuration of the classic stager: one JSON file, parsed once. */
import { z } from 'zod';
import { checkedConfig, readConfigFile } from '../../core/config-file.js';
import { duration, endpoint } from '../cell/config.js';
import { configSchema } from '../config.js';

const path = z.string().min(1);
const url = z.url({ protocol: /^https?$/ });

export const stagerSchema = z.strictObject({
  listen_addr: endpoint.prefault('127.0.0.1:8888'),
  /** This service, as the BBS reaches it. */
  callback_url: url,
  bbs: z.strictObject({
    url: z.url({ protocol: /^https$/ }),
    ...{ ca_file: path, cert_file: path, key_file: path },
    timeout: duration.prefault('10s'),
  }),
  cloud_controller: z.strictObject({
    url,
    username: z.string().min(1),
    /** Its content without the last line end. */
    password_file: path,
    /** Trusted in place of the public authorities. */
    ca_file: path.optional(),
    timeout: duration.prefault('5s'),
  }),
  uploader_url: url,
  file_server_url: url,
  /** Lifecycle of each stack: a URL, or a path below `/v1/static` of the file server. */
  lifecycles: z.record(z.string().min(1), z.string().min(1)),
  privileged: z.boolean().default(false),
  log_level: configSchema.shape.log_level,
});
export type StagerConfig = z.output<typeof stagerSchema>;

/** Throws config_invalid naming file and key. */
export async function loadStagerConfig(file: string): Promise<StagerConfig> {
  return checkedConfig(stagerSchema, await readConfigFile(file), file);
}
