/** What clients of the r2 reads get: image layers as the downloads they stand for (bbs models/image_layer.go). */
import type { Messages } from '../../../protos/generated.js';
import type { Action, DesiredLrp, Task } from '../model.js';

type Layer = Messages['models.ImageLayer'];
type Layered = Pick<DesiredLrp, 'cached_dependencies' | 'image_layers' | 'legacy_download_user'>;

export function desiredR2(lrp: DesiredLrp): DesiredLrp {
  const setup = withDownloads(lrp, lrp.setup);
  return { ...lrp, ...withDependencies(lrp), ...(setup && { setup }) };
}

export function taskR2(task: Task): Task {
  const definition = task.task_definition;
  if (!definition) return task;
  const action = withDownloads(definition, definition.action);
  return { ...task, task_definition: { ...definition, ...withDependencies(definition), ...(action && { action }) } };
}

function withDependencies({
  cached_dependencies,
  image_layers,
}: Layered): Pick<Layered, 'cached_dependencies' | 'image_layers'> {
  const shared = image_layers
    .filter(({ layer_type }) => layer_type === 'SHARED')
    .map((layer) => ({
      ...{ name: layer.name, from: layer.url, to: layer.destination_path, log_source: '' },
      cache_key: cacheKey(layer),
      checksum_algorithm: algorithmOf(layer),
      checksum_value: layer.digest_value,
    }));
  return { cached_dependencies: [...shared, ...cached_dependencies], image_layers: [] };
}

/** Exclusive layers go before what there was: a Parallel of downloads, then it, in a Serial. */
function withDownloads(
  { image_layers, legacy_download_user: user }: Layered,
  existing: Action | undefined,
): Action | undefined {
  const downloads = image_layers
    .filter(({ layer_type }) => layer_type === 'EXCLUSIVE')
    .map((layer) => ({
      download_action: {
        ...{ artifact: layer.name, from: layer.url, to: layer.destination_path, log_source: '', user },
        cache_key: cacheKey(layer),
        checksum_algorithm: algorithmOf(layer),
        checksum_value: layer.digest_value,
      },
    }));
  if (downloads.length === 0) return existing;
  const parallel: Action = { parallel_action: { actions: downloads, log_source: '' } };
  return existing ? { serial_action: { actions: [parallel, existing], log_source: '' } } : parallel;
}

const algorithmOf = ({ digest_algorithm }: Layer): string =>
  digest_algorithm === 'DigestAlgorithmInvalid' ? '' : digest_algorithm.toLowerCase();

const cacheKey = (layer: Layer): string =>
  layer.digest_value === '' ? layer.url : `${algorithmOf(layer)}:${layer.digest_value}`;
