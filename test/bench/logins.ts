export const LOGINS = { user: 'bench', password: 'bench-secret' } as const
