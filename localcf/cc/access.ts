/** Who may see and do what, from the caller's roles (CC's permissions). What one may not see does not exist: 404. */
import { cfError, notFound } from './errors.js';
import type { Org, OrgRole, Space, SpaceRole } from './model.js';
import type { Store } from './store.js';

/** Who calls, as the token says. */
export interface Caller {
  guid: string;
  /** User name, or the client's id. */
  name: string;
  email: string;
  client_id: string;
  scopes: ReadonlySet<string>;
}

/** Sees everything, changes everything. */
export const isAdmin = (caller: Caller): boolean => caller.scopes.has('cloud_controller.admin');
const READ_ALL = ['cloud_controller.admin', 'cloud_controller.admin_read_only', 'cloud_controller.global_auditor'];
export const readsAll = (caller: Caller): boolean => READ_ALL.some((scope) => caller.scopes.has(scope));

export class Access {
  constructor(
    private readonly store: Store,
    readonly caller: Caller,
  ) {}

  get admin(): boolean {
    return isAdmin(this.caller);
  }

  #has(fits: { org?: string; space?: string }, types: readonly (OrgRole | SpaceRole)[]): boolean {
    return (
      this.store.role.find(
        (role) =>
          role.user_guid === this.caller.guid &&
          types.includes(role.type) &&
          (fits.org !== undefined ? role.org_guid === fits.org : role.space_guid === fits.space),
      ) !== undefined
    );
  }

  seesOrg(org_guid: string): boolean {
    if (readsAll(this.caller)) return true;
    return (
      this.store.role.find(
        (role) =>
          role.user_guid === this.caller.guid &&
          (role.org_guid === org_guid ||
            (role.space_guid !== null && this.store.space.get(role.space_guid)?.org_guid === org_guid)),
      ) !== undefined
    );
  }

  seesSpace(space_guid: string): boolean {
    const space = this.store.space.get(space_guid);
    if (!space) return false;
    if (readsAll(this.caller) || this.managesOrg(space.org_guid)) return true;
    return this.#has({ space: space_guid }, ['space_developer', 'space_manager', 'space_auditor', 'space_supporter']);
  }

  managesOrg(org_guid: string): boolean {
    return this.admin || this.#has({ org: org_guid }, ['organization_manager']);
  }

  managesSpace(space: Space): boolean {
    return this.managesOrg(space.org_guid) || this.#has({ space: space.guid }, ['space_manager']);
  }

  developsIn(space_guid: string): boolean {
    return this.admin || this.#has({ space: space_guid }, ['space_developer']);
  }

  /** Starts, stops, scales, restarts and maps routes: what a supporter may. */
  operatesIn(space_guid: string): boolean {
    return this.admin || this.#has({ space: space_guid }, ['space_developer', 'space_supporter']);
  }

  /** Sees environment variables and other secrets of the apps. */
  seesSecretsOf(space_guid: string): boolean {
    return (
      this.caller.scopes.has('cloud_controller.admin_read_only') ||
      this.admin ||
      this.#has({ space: space_guid }, ['space_developer', 'space_supporter'])
    );
  }

  // Each of the following throws: 404 where the place is not visible, 403 where it is, but not that far.

  org(guid: string): Org {
    const org = this.store.org.get(guid);
    if (!org || !this.seesOrg(guid)) throw notFound('Organization');
    return org;
  }

  /** `what` is the resource looked up through its space, for the text of the 404. */
  space(guid: string, what = 'Space'): Space {
    const space = this.store.space.get(guid);
    if (!space || !this.seesSpace(guid)) throw notFound(what);
    return space;
  }

  toManageOrg(guid: string): Org {
    const org = this.org(guid);
    if (!this.managesOrg(guid)) throw cfError('NotAuthorized');
    return org;
  }

  toManageSpace(guid: string): Space {
    const space = this.space(guid);
    if (!this.managesSpace(space)) throw cfError('NotAuthorized');
    return space;
  }

  toDevelop(space_guid: string, what = 'Space'): Space {
    const space = this.space(space_guid, what);
    if (!this.developsIn(space_guid)) throw cfError('NotAuthorized');
    this.#active(space);
    return space;
  }

  toOperate(space_guid: string, what = 'Space'): Space {
    const space = this.space(space_guid, what);
    if (!this.operatesIn(space_guid)) throw cfError('NotAuthorized');
    this.#active(space);
    return space;
  }

  toReadSecrets(space_guid: string, what = 'Space'): Space {
    const space = this.space(space_guid, what);
    if (!this.seesSecretsOf(space_guid)) throw cfError('NotAuthorized');
    return space;
  }

  toAdmin(): void {
    if (!this.admin) throw cfError('NotAuthorized');
  }

  #active(space: Space): void {
    if (!this.admin && this.store.org.get(space.org_guid)?.suspended === true) throw cfError('OrgSuspended');
  }
}
