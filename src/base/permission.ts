/** From the least to the most: who may `operate` may `read` as well. */
export const PERMISSIONS = ['read', 'operate', 'recover'] as const
/** `read` looks, `operate` changes what can be changed back, `recover` moves roles. */
export type Permission = (typeof PERMISSIONS)[number]

export function permits(granted: Permission, needed: Permission): boolean {
  return PERMISSIONS.indexOf(granted) >= PERMISSIONS.indexOf(needed)
}

/** What both of them allow. */
export function lesserPermission(one: Permission, other: Permission): Permission {
  return permits(one, other) ? other : one
}
