import type { EmbeddedDiegoOptions } from '../../support/diego/embedded.js';

/** One deliberate fault: a member of a policy changed, and the cases of which one must turn red. */
export interface Break extends Pick<EmbeddedDiegoOptions, 'policy' | 'auction' | 'locket'> {
  name: string;
  cases: readonly [string, ...string[]];
}

const running = { state: 'RUNNING' };

export const BREAKS: Break[] = [
  // crashes
  {
    name: 'no restart at once',
    policy: { immediateRestarts: 0 },
    cases: ['the first and second crash are restarted at once'],
  },
  {
    name: 'one restart at once',
    policy: { immediateRestarts: 1 },
    cases: ['the first and second crash are restarted at once'],
  },
  {
    name: 'three restarts at once',
    policy: { immediateRestarts: 3 },
    cases: ['the third crash is not restarted at once'],
  },
  { name: 'no back-off', policy: { backoffMs: () => 0 }, cases: ['the third crash is not restarted at once'] },
  {
    name: 'a back-off after the third crash only',
    policy: { backoffMs: (crashes) => (crashes === 3 ? 1_200 : 0) },
    cases: ['the back-off doubles, and after the last crash allowed nothing is restarted'],
  },
  {
    name: 'never giving up',
    policy: { giveUpCrashes: 10_000, backoffMs: (crashes) => (crashes >= 5 ? 0 : 1_200 * 2 ** (crashes - 3)) },
    cases: ['the back-off doubles, and after the last crash allowed nothing is restarted'],
  },
  {
    name: 'the count of crashes never begins anew',
    policy: { crashResetMs: 3_600_000 },
    cases: ['a crash after a long run counts as the first'],
  },
  {
    name: 'no auction after a crash',
    policy: { auctionAfterCrash: false },
    cases: ['the work of a restart may arrive before the crash is answered'],
  },
  {
    name: 'an auction after a crash while evacuating',
    policy: { auctionAfterEvacuatedCrash: true },
    cases: ['a crash while evacuating counts but is not auctioned until it is stale'],
  },
  { name: 'reasons are not cut', policy: { longestReason: 100_000 }, cases: ['the reason of a crash is cut'] },
  {
    name: 'a crashed instance keeps its cell',
    policy: { crashClearsInstance: false },
    cases: ['the first and second crash are restarted at once'],
  },
  // transitions
  { name: 'anybody may claim', policy: { mayClaim: () => true }, cases: ['claim of an instance that is CLAIMED'] },
  {
    name: 'nobody may claim twice',
    policy: { mayClaim: (row) => row.state === 'UNCLAIMED' },
    cases: ['claim of an instance that is CLAIMED'],
  },
  { name: 'anybody may start', policy: { mayStart: () => true }, cases: ['start of an instance that is RUNNING'] },
  {
    name: 'a start needs a claim',
    policy: { mayStart: (row) => row.state !== 'UNCLAIMED' },
    cases: ['start of an instance that is UNCLAIMED'],
  },
  { name: 'anybody may crash', policy: { mayCrash: () => true }, cases: ['crash of an instance that is RUNNING'] },
  {
    name: 'only what runs may crash',
    policy: { mayCrash: (row) => row.state === running.state },
    cases: ['crash of an instance that is CLAIMED'],
  },
  { name: 'what runs may fail', policy: { mayFail: () => true }, cases: ['fail of an instance that is RUNNING'] },
  { name: 'anybody may remove', policy: { mayRemove: () => true }, cases: ['remove of an instance that is RUNNING'] },
  {
    name: 'a remove needs an instance',
    policy: { mayRemove: (_, by) => by !== undefined },
    cases: ['a remove without instance takes whatever is there'],
  },
  {
    name: 'a claim keeps the placement error',
    policy: { claimClearsPlacementError: false },
    cases: ['an instance that found no cell is placed once one comes and it is stale; claiming clears its error'],
  },
  {
    name: 'a claim keeps the addresses',
    policy: { claimClearsNetInfo: false },
    cases: ['a claim names its instance, a start adds where it is, a claim takes that away again'],
  },
  {
    name: 'a start of an unknown index is refused',
    policy: { startCreatesMissing: false },
    cases: ['a start of what nobody desired makes a running row'],
  },
  {
    name: 'a start leaves the evacuating row',
    policy: { startRemovesEvacuating: false },
    cases: ['a running instance is kept while its replacement is made, and let go when that runs'],
  },
  {
    name: 'a start leaves the suspect',
    policy: { startRemovesSuspect: false },
    cases: ['an instance on a missing cell becomes suspect and is replaced; the replacement ends it'],
  },
  {
    name: 'the same start again counts',
    policy: { repeatedStartIsSilent: false },
    cases: ['the same start again changes nothing, not even the tag; another one counts but keeps since'],
  },
  {
    name: 'a suspect is obeyed',
    policy: { ignoresSuspect: false },
    cases: ['claim and start by a suspect are accepted and do nothing'],
  },
  {
    name: 'a suspect that crashes stays',
    policy: { suspectCrashRemovesIt: false },
    cases: ['a suspect that crashes is deleted, and nothing is counted'],
  },
  // retire, scale, delete
  {
    name: 'what runs is dropped without asking its cell',
    policy: { dropsWithoutCell: () => true },
    cases: ['a retired instance that runs is stopped on its cell and its row stays until the cell removes it'],
  },
  {
    name: 'what waits is not dropped',
    policy: { dropsWithoutCell: () => false },
    cases: ['removing a desired LRP stops what runs and deletes what waits or crashed'],
  },
  {
    name: 'one try to stop',
    policy: { stopAttempts: 1 },
    cases: ['a stop that the cell fails is tried five times, and then told'],
  },
  {
    name: 'evacuating instances are stopped as well',
    policy: { stopSparesEvacuating: false },
    cases: ['when the desired LRP is removed, an evacuating instance is not stopped'],
  },
  {
    name: 'a retired instance stays when its cell is gone',
    policy: { retireDropsWhenCellUnknown: false },
    cases: ['a retired instance on a cell that is not there is deleted'],
  },
  {
    name: 'removing a desired LRP stops nothing',
    policy: { removeStopsInstances: false },
    cases: ['removing a desired LRP stops what runs and deletes what waits or crashed'],
  },
  {
    name: 'scaling down stops nothing',
    policy: { scaleDownStopsInstances: false },
    cases: ['scaling down stops the highest that run and deletes those that wait'],
  },
  {
    name: 'scaling up waits for convergence',
    policy: { scaleUpStartsInstances: false },
    cases: ['scaling up auctions the new indices at once'],
  },
  {
    name: 'updates wait for convergence',
    policy: { updateReachesInstances: false },
    cases: ['new internal routes are put to every instance at once, tags left out'],
  },
  // evacuation
  {
    name: 'an evacuated instance is let go at once',
    policy: { evacuationKeepsUntilReplaced: false },
    cases: ['a running instance is kept while its replacement is made, and let go when that runs'],
  },
  {
    name: 'an evacuation asks for no replacement',
    policy: { evacuationAuctions: false },
    cases: ['an evacuated claim is auctioned at once'],
  },
  {
    name: 'a replacement that crashed does not count',
    policy: { replacementServes: (row) => row.state === running.state },
    cases: ['when the replacement has crashed for good, the old instance is let go'],
  },
  {
    name: 'evacuating rows outlive their cell',
    policy: { convergencePrunesEvacuating: false },
    cases: ['an evacuating row whose cell is gone is pruned'],
  },
  // convergence
  {
    name: 'stale claims are auctioned far too late',
    policy: { staleUnclaimedMs: 3_600_000 },
    cases: ['work that a cell gives back stays unclaimed without a word, until it is stale'],
  },
  {
    name: 'everything unclaimed is stale',
    policy: { staleUnclaimedMs: 0 },
    cases: ['work that a cell gives back stays unclaimed without a word, until it is stale'],
  },
  {
    name: 'a missing index stays missing',
    policy: { createsMissing: false },
    cases: ['an index that is missing is made anew and auctioned'],
  },
  {
    name: 'an index too many stays',
    policy: { retiresExtra: () => false },
    cases: ['an index too many is stopped while its domain is fresh'],
  },
  {
    name: 'an index too many goes in a stale domain, too',
    policy: { retiresExtra: () => true },
    cases: ['an index too many is stopped while its domain is fresh'],
  },
  {
    name: 'an orphan stays',
    policy: { retiresOrphan: () => false },
    cases: ['an instance that nobody desires is stopped while its domain is fresh'],
  },
  {
    name: 'an orphan goes in a stale domain, too',
    policy: { retiresOrphan: () => true },
    cases: ['an instance that nobody desires is stopped while its domain is fresh'],
  },
  {
    name: 'a missing cell goes unnoticed',
    policy: { suspectsMissingCell: false },
    cases: ['an instance on a missing cell becomes suspect and is replaced; the replacement ends it'],
  },
  {
    name: 'no cell at all is taken for a fault of Locket',
    policy: { emptyCellSetMissesAll: false },
    cases: ['when no cell at all is left, every instance is suspect'],
  },
  {
    name: 'a suspect stays one',
    policy: { promotesReturned: false },
    cases: ['a suspect whose cell comes back is ordinary again and its replacement goes'],
  },
  {
    name: 'routes are put once',
    policy: { repeatsRoutes: false },
    cases: ['internal routes are put again at each convergence until the instance has them'],
  },
  {
    name: 'tags are put once',
    policy: { repeatsTags: false },
    cases: ['tags are put again at each convergence until the instance has them'],
  },
  {
    name: 'empty tags are compared, too',
    policy: { comparesTags: () => true },
    cases: ['an instance started without tags is never asked to change them'],
  },
  // tasks
  {
    name: 'two rejections are borne',
    policy: { maxTaskRetries: 2 },
    cases: ['three rejections are borne, the fourth fails the task'],
  },
  {
    name: 'four rejections are borne',
    policy: { maxTaskRetries: 4 },
    cases: ['three rejections are borne, the fourth fails the task'],
  },
  {
    name: 'a task may always start',
    policy: { mayStartTask: () => true },
    cases: ['what a task that is Completed may become'],
  },
  {
    name: 'a task may complete unstarted',
    policy: { mayCompleteTask: () => true },
    cases: ['what a task that is Pending may become'],
  },
  {
    name: 'a task that waits cannot be cancelled',
    policy: { mayCancelTask: (task) => task.state === 'Running' },
    cases: ['what a task that is Pending may become'],
  },
  {
    name: 'a task that runs cannot be rejected',
    policy: { mayRejectTask: (task) => task.state === 'Pending' },
    cases: ['what a task that is Running may become'],
  },
  {
    name: 'a task may always resolve',
    policy: { mayResolveTask: () => true },
    cases: ['what a task that is Resolving may become'],
  },
  {
    name: 'a task may always be deleted',
    policy: { mayDeleteTask: () => true },
    cases: ['what a task that is Completed may become'],
  },
  {
    name: 'any cell completes a task',
    policy: { completionNeedsCell: false },
    cases: ['only the cell that runs a task completes it'],
  },
  {
    name: 'a start again is a fault',
    policy: { repeatedTaskStart: () => false },
    cases: ['a start on the same cell again need not start; on another cell it is refused'],
  },
  {
    name: 'a cancelled task runs on',
    policy: { cancelReachesCell: false },
    cases: ['a task that runs is cancelled on its cell, and its callback says so'],
  },
  {
    name: 'a task outlives its cell',
    policy: { failsTasksOfMissingCells: false },
    cases: ['a task on a missing cell fails'],
  },
  {
    name: 'a task is auctioned once',
    policy: { auctionsPendingTasks: false },
    cases: ['a pending task comes again and again, until it is started'],
  },
  {
    name: 'other words for a late task',
    policy: { expiredTaskReason: 'too late' },
    cases: ['a task that nobody takes in time has failed'],
  },
  {
    name: 'other words for a lost cell',
    policy: { missingCellTaskReason: 'cell lost' },
    cases: ['a task on a missing cell fails'],
  },
  {
    name: 'other words for a cancelled task',
    policy: { cancelledTaskReason: 'cancelled' },
    cases: ['a task that waits is cancelled without a word to any cell'],
  },
  {
    name: 'one try of a callback',
    policy: { callbackTries: 1 },
    cases: ['a callback that is not served now is tried three times, and again when the task is kicked'],
  },
  {
    name: 'any failure of a callback is tried again',
    policy: { callbackRetries: (status) => status >= 300 },
    cases: ['a callback answered with an error is not repeated, and the task is gone'],
  },
  // domains
  {
    name: 'a time of 0 is over at once',
    policy: { domainExpiry: (now, ttl) => now + ttl * 1_000 },
    cases: ['a domain with time 0 stays fresh'],
  },
  {
    name: 'domains stay fresh',
    policy: { domainExpiry: () => Infinity },
    cases: ['a domain is fresh for its time, and no longer'],
  },
  // placement
  {
    name: 'instances may share a cell',
    auction: { sameProcessWeight: 0, spreadsOverZones: false },
    cases: ['the emptier of two cells gets the instance', 'instances are spread over zones before cells'],
  },
  {
    name: 'zones do not count',
    auction: { spreadsOverZones: false },
    cases: ['instances are spread over zones before cells'],
  },
  { name: 'tasks do not count', auction: { taskWeight: 0 }, cases: ['a task goes where fewer tasks are'] },
  {
    name: 'starting containers do not count',
    auction: { startingWeight: 0 },
    cases: ['a cell that is starting many gets less'],
  },
  {
    name: 'evacuating cells get work',
    auction: { ignoresEvacuating: false },
    cases: ['an evacuating cell is passed over'],
  },
  {
    name: 'a state is believed whatever cell it names',
    auction: { checksCellId: false },
    cases: ['a cell whose state names another cell is passed over, and the others are not disturbed'],
  },
  {
    name: 'tags do not count',
    auction: { matchesTags: () => true },
    cases: ['a cell with tags takes only what asks for all of them'],
  },
  {
    name: 'volume drivers do not count',
    auction: { matchesDrivers: () => true },
    cases: ['where no cell has the volume driver, the instance says so'],
  },
  // Locket
  {
    name: 'a newcomer takes a lock over',
    locket: { ownersCollide: false },
    cases: ['a key held by another owner collides; the same owner renews and its value is replaced'],
  },
  {
    name: 'locks never end',
    locket: { locksExpire: false },
    cases: ['a lock is gone once its time is over, and another owner may take it'],
  },
];
